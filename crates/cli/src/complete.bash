# Completes command lines of hostlink: source <(hostlink completions bash)

# Bash breaks words at @, : and =, which are parts of hostlink's own. So the line is taken apart here.
_hostlink_complete() {
    local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[!@:=]/} words current kept=''
    IFS=$' \t\n' read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then
        words+=('')
    fi
    current=${words[${#words[@]} - 1]}
    # What stands before the last word break is not replaced.
    if [[ -n $breaks && $current == *[$breaks]* ]]; then
        kept=${current%"${current##*[$breaks]}"}
        # Readline counts an @ as a part of the word behind it.
        kept=${kept%@}
    fi
    mapfile -t COMPREPLY < <(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) _CLAP_COMPLETE_COMP_TYPE=$COMP_TYPE \
            _CLAP_COMPLETE_SPACE=false HOSTLINK_COMPLETE=bash hostlink -- "${words[@]}" 2>/dev/null
    )
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    # More is to follow behind these.
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[/:=,] ]]; then
        compopt -o nospace
    fi
}
complete -o default -F _hostlink_complete hostlink
