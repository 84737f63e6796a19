//! The description of a key of host data, and the table in which a connector declares its keys.

use crate::values::value::{FromValue, Value};

/// A key that a connector or an argument reads from host data.
#[derive(Clone, Copy, Debug)]
pub struct DataField {
    /// The key, as users write it.
    pub key: &'static str,
    /// Its meaning, in one sentence.
    pub description: &'static str,
    /// The type, as help texts name it: "text", "true or false", "seconds".
    pub type_name: &'static str,
    /// The default, as users would write it; empty where there is none.
    pub default: &'static str,
    /// True if its value is masked wherever it would be shown.
    pub secret: bool,
    /// True if a value could act on this machine: run code, read files, rename images or lower a
    /// guard. Data from a source that is not [trusted](crate::About::is_trusted) may not set it.
    pub guarded: bool,
}

impl DataField {
    /// A field without a default, neither secret nor guarded. White space around the description is
    /// cut off.
    #[must_use]
    pub const fn new(
        key: &'static str,
        type_name: &'static str,
        description: &'static str,
    ) -> Self {
        let description = description.trim_ascii();
        Self { key, description, type_name, default: "", secret: false, guarded: false }
    }

    /// Returns the type and the default, as help texts show them.
    #[must_use]
    pub fn type_and_default(&self) -> String {
        match self.default {
            "" => self.type_name.to_owned(),
            default => format!("{}, default {default}", self.type_name),
        }
    }

    /// The default as a value.
    ///
    /// # Panics
    ///
    /// The text of the default is none of the type `T`.
    #[must_use]
    pub fn default_value<T: FromValue>(&self) -> T {
        T::from_value(&Value::from(self.default)).expect("a field's default is of its type")
    }
}

/// Declares the host data that a connector reads, as one table.
///
/// A row has the description, as its documentation; the constant's name, the key and the type as
/// help texts name it; columns of [`DataField`] that differ from [`DataField::new`]; and the field
/// of the struct with its type and the method of the reader that reads it. The reader is a
/// [`DataReader`](crate::DataReader), or a type of the connector's own with methods that take a
/// `&DataField` first.
///
/// The macro makes a constant for each row, the slice `FIELDS` of all rows, and the struct with
/// `read`, which reads each field in the order of the rows.
///
/// ```
/// use hostlink_core::{Data, DataReader, data_fields};
///
/// data_fields! {
///     /// The place of a shelf.
///     #[derive(Debug)]
///     struct Settings from DataReader<'_>;
///
///     /// Row of the shelf.
///     ROW = "shelf_row", "number" => row: Option<u32>, get();
///     /// Ask the librarian, who may look into
///     /// closed shelves too.
///     ASK = "shelf_ask", "true or false", default: "false", guarded: true
///         => ask: bool, or_default();
/// }
///
/// assert_eq!(ASK.description, "Ask the librarian, who may look into closed shelves too.");
/// assert_eq!((FIELDS.len(), FIELDS[0].key), (2, "shelf_row"));
///
/// let data = Data::new().with(ROW.key, 3);
/// let settings = Settings::read(&mut DataReader::new(&data));
/// assert_eq!((settings.row, settings.ask), (Some(3), false));
/// ```
#[macro_export]
macro_rules! data_fields {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $Struct:ident from $Reader:ty;
        $(
            $(#[doc = $line:literal])+
            $NAME:ident = $key:literal, $type_name:expr $(, $column:ident: $value:expr)*
                => $field:ident: $type:ty, $read:ident($($argument:expr),*);
        )+
    ) => {
        $(
            $(#[doc = $line])+
            $visibility const $NAME: $crate::DataField = $crate::DataField {
                $($column: $value,)*
                ..$crate::DataField::new($key, $type_name, concat!($($line),+))
            };
        )+

        /// Every field, in the order of help texts.
        $visibility const FIELDS: &[$crate::DataField] = &[$($NAME),+];

        $(#[$attribute])*
        $visibility struct $Struct {$(
            $(#[doc = $line])+
            $visibility $field: $type,
        )+}

        impl $Struct {
            /// Reads every field. What does not fit is a fault of the reader's.
            $visibility fn read(reader: &mut $Reader) -> Self {
                Self {$($field: reader.$read(&$NAME $(, $argument)*),)+}
            }
        }
    };
}
