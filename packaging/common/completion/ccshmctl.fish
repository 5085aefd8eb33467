# SPDX-License-Identifier: GPL-2.0-only
# fish completion of ccshmctl. `ccshmctl --complete` computes the candidates.

function __ccshmctl_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l word (commandline --cut-at-cursor --current-token)
    set -l program $words[1]
    set -e words[1]
    for line in ($program --complete $words $word 2>/dev/null)
        switch $line
            case ':command *'
                set -l first (string replace ':command ' '' -- $line)
                set -l rest
                test $first -gt (count $words); or set rest (string escape -- $words[$first..-1])
                complete --do-complete (string join ' ' -- $rest $word)
            case ':files'
                __fish_complete_path $word
            case ':*'
            case '*'
                echo $line
        end
    end
end

complete --command ccshmctl --no-files --arguments '(__ccshmctl_complete)'
