#compdef hostlink
# Completes command lines of hostlink: source <(hostlink completions zsh), or as the file _hostlink in a directory of $fpath.

_hostlink() {
    local candidate value
    # What the words mean, without their quotes. What opens the last one is no part of PREFIX.
    local -a line=("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}") whole open
    # As fish takes them: a candidate on each line, and its description behind a tabulator.
    for candidate in "${(@f)$(HOSTLINK_COMPLETE=fish hostlink -- "${line[@]}" 2>/dev/null)}"; do
        value=${candidate%%$'\t'*}
        candidate=${${value//\\/\\\\}//:/\\:}${${candidate#$value}/$'\t'/:}
        # More is to follow behind these.
        if [[ $value == *[/:=,] ]]; then
            open+=("$candidate")
        elif [[ $value ]]; then
            whole+=("$candidate")
        fi
    done
    # zsh puts into quotes what would be more than text.
    _describe -V hostlink open -S '' -- whole
}
# As a file of $fpath it is the function's own first call.
if [[ ${funcstack[1]} == _hostlink ]]; then
    _hostlink
else
    compdef _hostlink hostlink
fi
