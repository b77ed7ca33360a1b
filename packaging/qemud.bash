# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for qemud(8)

_qemud() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}

	case $prev in
	--config) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--libexec) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	--log) mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -W '--config --libexec --log --version --help' -- "$cur") ;;
	esac
}
complete -F _qemud qemud
