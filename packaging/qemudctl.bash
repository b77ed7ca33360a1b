# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for qemudctl(1)

_qemudctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words

	case ${COMP_WORDS[1]-} in
	status) words='--vms --json --socket' ;;
	limits) words='--json --socket' ;;
	esac
	case ${COMP_WORDS[*]:1:2} in
	'audit verify '* | 'audit verify') words='--dir --head --heads --json' ;;
	'audit tail '* | 'audit tail') words='--dir -n -f --json' ;;
	'policy explain '* | 'policy explain') words='--policy --system --read-only view console power manage' ;;
	esac
	[[ $COMP_CWORD -gt 2 || ${COMP_WORDS[1]-} =~ ^(status|limits)$ ]] || words=
	case $COMP_CWORD,$prev in
	1,*) words='status limits audit policy --help --version' ;;
	2,audit) words='verify tail' ;;
	2,policy) words='check explain' ;;
	*,--dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") && return ;;
	*,--socket | *,--heads | *,--policy | 3,check) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[[ $words != --dir* || $cur == -* ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _qemudctl qemudctl
