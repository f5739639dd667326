#!/bin/sh
# install.sh install|uninstall puts the files of the table (files) into the system or takes them out again. It is what
# make install runs. From the environment:
#
#	PREFIX      in the place of /usr (/usr/local)
#	SYSCONFDIR  in the place of /etc (/etc)
#	DESTDIR     a folder that stands for the root of the system
#	BIN         where the built programs are (bin)
#
# Settings that the operator has changed are never touched.
set -eu

PREFIX=${PREFIX:-/usr/local}
SYSCONFDIR=${SYSCONFDIR:-/etc}
DESTDIR=${DESTDIR:-}
BIN=${BIN:-bin}
table=conf/etc/packages/files
place=$(uname -s | tr '[:upper:]' '[:lower:]')
left=" $(awk '$3 == "-" { printf "%s ", $4 }' "$table")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# goal PATH prints where a path of the table goes to.
goal() {
	case $1 in
	/usr/local/* | /etc/rc.d/* | /etc/init.d/* | /etc/security/*) echo "$DESTDIR$1" ;; # where the system looks
	/usr/*) echo "$DESTDIR$PREFIX/${1#/usr/}" ;;
	/etc/*) echo "$DESTDIR$SYSCONFDIR/${1#/etc/}" ;;
	*) echo "$DESTDIR$1" ;;
	esac
}

# text KIND SOURCE makes what is to be installed: $work/text.
text() {
	case $1 in
	text | conf | man) sed "s#/usr/bin/pen#$PREFIX/bin/pen#g; s#/usr/bin/mergelogs#$PREFIX/bin/mergelogs#g; s#/etc/pen#$SYSCONFDIR/pen#g" "$2" >"$work/text" ;;
	*) cp "$2" "$work/text" ;;
	esac
}

# put MODE KIND SOURCE TARGET installs a file. A program that runs is replaced, not written to.
put() {
	path=$(goal "$4")
	mkdir -p "$(dirname "$path")"
	text "$2" "$3"
	if [ "$2" = conf ] && [ -f "$path" ] && ! cmp -s "$work/text" "$path"; then
		echo "$path has been changed: it stays; the new one is $3"
		return 0
	fi
	cp "$work/text" "$path.part"
	chmod "$1" "$path.part"
	mv -f "$path.part" "$path"
	echo "$path"
}

# take MODE KIND SOURCE TARGET removes a file, and its directory if pen's and empty.
take() {
	path=$(goal "$4")
	[ -f "$path" ] || return 0
	text "$2" "$3"
	if [ "$2" = conf ] && ! cmp -s "$work/text" "$path"; then
		echo "$path has been changed: it stays"
		return 0
	fi
	rm -f "$path"
	folder=$(dirname "$path")
	case $folder in */pen | */pen/*) rmdir "$folder" "$(dirname "$folder")" 2>/dev/null || : ;; esac
}

# each ACTION does it to every file of the table that belongs here.
each() {
	grep -v '^#' "$table" | while read -r places mode kind source target rest; do
		case ,$places, in ,all, | *,"$place",*) ;; *) continue ;; esac
		case $kind in
		made) ;;
		dir) [ "$1" = take ] || mkdir -p "$(goal "$target")" ;;
		program) "$1" "$mode" "$kind" "$BIN/$source" "$target" ;;
		*)
			case $source in
			*/) for file in "$source"*; do
				[ -f "$file" ] || continue
				case $left in *" $file "*) continue ;; esac
				folder=$target
				[ "$kind" != man ] || folder=${target}man${file##*.}/
				"$1" "$mode" "$kind" "$file" "$folder${file##*/}"
			done ;;
			*) "$1" "$mode" "$kind" "$source" "$target" ;;
			esac
			;;
		esac
	done
	[ "$1" = put ] || rmdir "$(goal /etc/pen)" 2>/dev/null || :
}

case ${1:-} in
install) each put ;;
uninstall) each take ;;
*) echo "usage: install.sh install|uninstall" >&2 && exit 2 ;;
esac
