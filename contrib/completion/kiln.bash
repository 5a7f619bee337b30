# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of kiln for bash: the client itself knows its commands, options and values (`kiln __complete`).
# Installed as <datadir>/bash-completion/completions/kiln; without that package: source <(kiln completion bash)

_kiln() {
	local line=${COMP_LINE:0:COMP_POINT} word stripped prefix candidate what= i
	local -a words=()

	# Readline breaks words at ':' and '=', too: what no space divides is one word.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		stripped=${line#"${line%%[![:space:]]*}"}
		if ((i == 0)) || [[ $stripped != "$line" ]] || [[ -z $word && ${COMP_LINE:COMP_POINT-1:1} == [[:space:]] ]]; then
			words+=("$word")
		else
			words[${#words[@]} - 1]+=$word
		fi
		line=${stripped#"$word"}
	done
	word=${words[${#words[@]} - 1]}
	prefix=${word%"${word##*[:=]}"}

	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		if [[ $candidate == :* ]]; then
			what=$candidate
			continue
		fi
		COMPREPLY+=("${candidate#"$prefix"}")
		[[ $candidate != *[:=] ]] || compopt -o nospace
	done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)

	case $what in
	:files | :directories)
		compopt -o filenames
		while IFS= read -r candidate; do
			COMPREPLY+=("$candidate")
		done < <(compgen -A "$([[ $what == :files ]] && echo file || echo directory)" -- "${word#"$prefix"}")
		;;
	esac
}

complete -F _kiln kiln
