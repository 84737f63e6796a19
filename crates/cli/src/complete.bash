# Completes command lines of hostlink: source <(hostlink completions bash)

# Bash breaks words at @, : and =, which are parts of hostlink's own. So the line is taken apart here, as the shell will do it.
_hostlink_complete() {
    local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[!@:=]/}
    # The word as it is typed, what it means, the quote that is open, and how much of it stands before the last word break.
    local raw='' word='' quote='' kept=0 closed='' words=() char at
    for ((at = 0; at < ${#line}; at++)); do
        char=${line:at:1}
        raw+=$char
        case $quote$char in
            "''" | '""') quote='' closed=yes ;;
            \'?) word+=$char ;;
            '"\' | \\)
                ((++at))
                char=${line:at:1}
                raw+=$char
                if [[ $quote && $char != [\"\$\`\\] ]]; then
                    word+=\\
                fi
                word+=$char
                ;;
            \"?) word+=$char ;;
            [\'\"])
                quote=$char
                kept=${#raw}
                ;;
            [[:space:]])
                if ((${#raw} > 1)); then
                    words+=("$word")
                fi
                raw='' word='' kept=0 closed=''
                ;;
            # What the shell would make of these is not known.
            [\$\`\;\&\|\<\>\(\)]) return ;;
            *)
                word+=$char
                if [[ $breaks == *"$char"* ]]; then
                    kept=${#raw}
                    # Readline counts an @ as a part of the word behind it.
                    [[ $char == @ ]] && ((kept--))
                fi
                ;;
        esac
    done
    # Where a word begins that has quotes in it is Readline's to know.
    [[ $closed ]] && return
    words+=("$word")
    local found=() candidate rest
    mapfile -t found < <(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) _CLAP_COMPLETE_COMP_TYPE=$COMP_TYPE \
            _CLAP_COMPLETE_SPACE=false HOSTLINK_COMPLETE=bash hostlink -- "${words[@]}" 2>/dev/null
    )
    COMPREPLY=()
    for candidate in "${found[@]}"; do
        [[ $candidate == "$word"* ]] || continue
        # Names come from files and directories: the shell is to take what is added as text, and nothing else.
        rest=${candidate#"$word"}
        case $quote in
            \') [[ $rest == *\'* ]] && continue ;;
            \") [[ $rest == *[\"\$\`\\!]* ]] && continue ;;
            *)
                if [[ $rest ]]; then
                    printf -v rest %q "$rest"
                    # It is nothing to the shell outside of braces, which are quoted.
                    rest=${rest//\\,/,}
                fi
                ;;
        esac
        COMPREPLY+=("${raw:kept}$rest")
    done
    # No file is meant by what begins as an option does.
    if [[ ${#COMPREPLY[@]} == 0 && $word == -* ]]; then
        compopt +o default
    fi
    # More is to follow behind these.
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[/:=,] ]]; then
        compopt -o nospace
    fi
}
complete -o default -F _hostlink_complete hostlink
