# Completion of chatsctl(8) for bash. tests/lint/pages asks it for all that src/ctl/chatsctl.c takes.

# The first words; behind one that has verbs, these.
_chatsctl_words() {
    case $1 in
    '') echo init check recover doctor backup restore stats compact prune namespace export salvage import account token --help --version ;;
    namespace) echo list remove ;;
    account) echo add list passwd remove ;;
    token) echo issue revoke ;;
    esac
}

# What may follow a whole command, or an option: FILE and DIR are names of that kind.
_chatsctl_takes() {
    case $1 in
    init) echo --auth ;;
    backup) echo DIR --incremental ;;
    restore) echo DIR --logs ;;
    export | import | salvage) echo FILE ;;
    prune) echo --before --namespace ;;
    'account add') echo --namespace --type ;;
    'account list' | 'account passwd' | 'account remove') echo --namespace ;;
    'token issue') echo --namespace --expiry ;;
    --auth) echo open required ;;
    --type) echo user service ;;
    --logs) echo DIR ;;
    esac
}

_chatsctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    local words
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(_chatsctl_words '')
    elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$(_chatsctl_words "$command")" ]; then
        words=$(_chatsctl_words "$command")
    elif [[ $before == --[a-z]* && $before != --incremental ]]; then
        words=$(_chatsctl_takes "$before")
    elif [ -n "$(_chatsctl_words "$command")" ]; then
        words=$(_chatsctl_takes "$command ${COMP_WORDS[2]}")
    else
        words=$(_chatsctl_takes "$command")
    fi
    case " $words " in
    *' FILE '*) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    *' DIR '*) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    esac
    words=${words/FILE/}
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "${words/DIR/}" -- "$word")
} && complete -o filenames -F _chatsctl chatsctl
