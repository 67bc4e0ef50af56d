# SPDX-License-Identifier: GPL-2.0-or-later

# RD_CFLAG(VARIABLE, FLAG...): append every flag that the C compiler takes without a complaint.
AC_DEFUN([RD_CFLAG], [
m4_foreach_w([rd_flag], [$2], [
AS_VAR_PUSHDEF([rd_cache], [rd_cv_cflag_]rd_flag)
AC_CACHE_CHECK([whether $CC takes ]rd_flag, [rd_cache], [
rd_save_cflags=$CFLAGS
CFLAGS="$CFLAGS -Werror ]rd_flag["
AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([rd_cache], [yes])], [AS_VAR_SET([rd_cache], [no])])
CFLAGS=$rd_save_cflags
])
AS_VAR_IF([rd_cache], [yes], [$1="$$1 ]rd_flag["])
AS_VAR_POPDEF([rd_cache])
])
])

# RD_LDFLAG(VARIABLE, FLAG...): the same for the linker; commas inside a flag are written as @.
AC_DEFUN([RD_LDFLAG], [
for rd_raw in $2; do
rd_flag=`AS_ECHO(["$rd_raw"]) | tr '@' ','`
AC_MSG_CHECKING([whether the linker takes $rd_flag])
rd_save_ldflags=$LDFLAGS
LDFLAGS="$LDFLAGS -Werror $rd_flag"
AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
	[AC_MSG_RESULT([yes]); $1="$$1 $rd_flag"], [AC_MSG_RESULT([no])])
LDFLAGS=$rd_save_ldflags
done
])
