//! Files in memory.

use async_trait::async_trait;
use hostlink_core::transfer::{
    FileTransfer, GetOptions, OpenSource, PutOptions, Route, Sink, Transferred,
};
use hostlink_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connection::FakeConnection;

#[async_trait]
impl FileTransfer for FakeConnection {
    async fn put(
        &self,
        source: &mut OpenSource,
        path: &str,
        _options: &PutOptions,
    ) -> Result<Option<Transferred>> {
        let failed = |error| Error::from_io("the source cannot be read", error);
        let mut content = Vec::new();
        let reader = source.reader.as_mut().expect("a source is read once");
        reader.read_to_end(&mut content).await.map_err(failed)?;
        let bytes = content.len() as u64;
        if source.length.is_some_and(|length| length != bytes) {
            let message = format!("{path}: {bytes} bytes came, which is not what was announced");
            return Err(Error::new(ErrorKind::Transfer, message));
        }
        self.fake.store(&self.target, path, content);
        Ok(Some(Transferred { bytes, in_place: false, route: Route::Copy }))
    }

    async fn get(
        &self,
        path: &str,
        sink: &mut Sink<'_>,
        _options: &GetOptions,
    ) -> Result<Option<Transferred>> {
        let failed = |error| Error::from_io("the sink cannot be written", error);
        let Some(content) = self.fake.file(&self.target, path) else {
            return Err(Error::new(ErrorKind::NotFound, format!("{path} is not there")));
        };
        match sink {
            Sink::Path(to) => tokio::fs::write(to, &content).await.map_err(failed)?,
            Sink::Buffer(buffer) => buffer.extend_from_slice(&content),
            Sink::Writer(writer) => {
                writer.write_all(&content).await.map_err(failed)?;
                writer.flush().await.map_err(failed)?;
            }
        }
        Ok(Some(Transferred { bytes: content.len() as u64, in_place: false, route: Route::Copy }))
    }
}
