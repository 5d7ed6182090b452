"""Android's own commands, as small scripts in the phone's /system/bin.

They read what ``trees`` has written under /data/system, so a change of the conditions shows in the
next command. ``$SIMROOT`` is empty where the phone's tree is the root, else the tree's folder.
The scripts keep to what both mksh and a plain POSIX shell understand.
"""

from __future__ import annotations

from collections.abc import Mapping

GETPROP = r"""
find_property() {
  if [ -f "$SIMROOT/data/property/$1" ]; then cat "$SIMROOT/data/property/$1"; return; fi
  while IFS= read -r line; do
    case $line in "[$1]: ["*) line=${line#*: \[}; printf '%s\n' "${line%]}"; return;; esac
  done < "$SIMROOT/system/properties"
  printf '%s\n' "$2"
}
if [ $# -gt 0 ]; then find_property "$@"; exit 0; fi
while IFS= read -r line; do printf '%s\n' "$line"; done < "$SIMROOT/system/properties"
"""

SETPROP = r"""
case $1 in
ro.*) echo "Failed to set property '$1' to '$2'." >&2
  echo "See dmesg for error reason." >&2; exit 1;;
esac
mkdir -p "$SIMROOT/data/property"
printf '%s\n' "$2" > "$SIMROOT/data/property/$1"
"""

DUMPSYS = r"""
if [ "$1" = -l ]; then
  echo "Currently running services:"
  for file in "$SIMROOT"/data/system/dumpsys/*; do echo "  ${file##*/}"; done
  exit 0
fi
if [ -f "$SIMROOT/data/system/dumpsys/$1" ]; then
  cat "$SIMROOT/data/system/dumpsys/$1"
else
  echo "Can't find service: $1"
fi
"""

SETTINGS = r"""
file=$SIMROOT/data/system/settings/$2/$3
if [ "$1" = put ] && [ -s "$SIMROOT/data/system/guarded" ]; then
  echo "java.lang.SecurityException: Permission denial: writing to settings requires: \
android.permission.WRITE_SECURE_SETTINGS" >&2; exit 255
fi
case $1 in
get) if [ -f "$file" ]; then cat "$file"; else echo null; fi;;
put) mkdir -p "${file%/*}"; printf '%s\n' "$4" > "$file";;
delete) rm -f "$file"; echo "Deleted 1 rows";;
list) for file in "$SIMROOT/data/system/settings/$2"/*; do
  echo "${file##*/}=$(cat "$file")"; done;;
*) echo "Invalid command: $1" >&2; exit 255;;
esac
"""

SVC = r"""
case "$1 $2" in
"power stayon")
  case $3 in true|usb|ac|wireless) value=7;; *) value=0;; esac
  echo "$value" > "$SIMROOT/data/system/settings/global/stay_on_while_plugged_in"
  if [ "$value" = 7 ]; then exec "$SIMROOT/system/bin/input" keyevent KEYCODE_WAKEUP; fi;;
"power reboot") exec "$SIMROOT/system/bin/reboot";;
esac
"""

# The files are replaced whole, as the daemon does, so nobody reads half of one.
INPUT = r"""
if [ -s "$SIMROOT/data/system/guarded" ]; then
  echo "java.lang.SecurityException: Injecting to another application requires INJECT_EVENTS\
 permission" >&2; exit 255
fi
case $2 in
KEYCODE_WAKEUP|224) awake=Awake; state=ON;;
KEYCODE_SLEEP|223) awake=Asleep; state=OFF;;
*) exit 0;;
esac
folder=$SIMROOT/data/system/dumpsys
for name in power display; do
  sed -e "s/mWakefulness=.*/mWakefulness=$awake/" -e "s/state=O.*/state=$state/" \
    -e "s/mScreenState=.*/mScreenState=$state/" "$folder/$name" > "$SIMROOT/data/system/.$name.$$"
  mv "$SIMROOT/data/system/.$name.$$" "$folder/$name"
done
"""

SERVICE = r"""
case $1 in
check)
  if [ -f "$SIMROOT/data/system/dumpsys/$2" ]; then echo "Service $2: found"
  else echo "Service $2: not found"; fi;;
list) echo "Found $(ls "$SIMROOT/data/system/dumpsys" | wc -l) services:";;
esac
"""

CMD = r"""
service=$1; shift
case "$service $1" in
"thermalservice override-status")
  file=$SIMROOT/data/system/dumpsys/thermalservice
  sed -e "s/IsStatusOverride: .*/IsStatusOverride: true/" \
    -e "s/Thermal Status: .*/Thermal Status: $2/" "$file" > "$SIMROOT/data/system/.thermal.$$"
  mv "$SIMROOT/data/system/.thermal.$$" "$file";;
"settings "*) exec "$SIMROOT/system/bin/settings" "$@";;
*) echo "cmd: Can't find service: $service" >&2; exit 20;;
esac
"""

DF = r"""
used=$(du -sk "$SIMROOT/data" | cut -f1)
limit=$(cat "$SIMROOT/data/system/disk_kib")
free=$((limit - used)); if [ "$free" -lt 0 ]; then free=0; fi
echo "Filesystem       1K-blocks     Used Available Use% Mounted on"
printf '/dev/block/dm-9  %9d %8d %9d %3d%% /data\n' \
  "$limit" "$used" "$free" "$((used * 100 / limit))"
"""

# The phone has more cores than the host may have: the mask is checked and kept, and binds nobody.
TASKSET = r"""
all=0; pid=0
while [ $# -gt 0 ]; do
  case $1 in
  -a) all=1; shift;; -p) pid=1; shift;; -ap|-pa) pid=1; shift;; *) break;;
  esac
done
cores=$(cat "$SIMROOT/system/cores")
online=0; core=0
while [ $core -lt "$cores" ]; do
  read -r is < "$SIMROOT/sys/devices/system/cpu/cpu$core/online"
  online=$((online | is << core)); core=$((core + 1))
done
if [ "$pid" = 1 ] && [ $# = 1 ]; then
  printf "pid %s's current affinity mask: %x\n" "$1" "${SIM_AFFINITY:-$online}"; exit 0
fi
mask=${1#0x}
case $mask in ""|*[!0-9a-fA-F]*) echo "taskset: bad mask '$1'" >&2; exit 1;; esac
mask=$((0x$mask & online))
if [ "$mask" = 0 ]; then
  echo "taskset: failed to set pid 0's affinity: Invalid argument" >&2; exit 1
fi
shift
if [ "$pid" = 1 ]; then exit 0; fi
export SIM_AFFINITY="$mask"
exec "$@"
"""

UPTIME = r"""
IFS=' .' read -r seconds rest < "$SIMROOT/proc/uptime"
read -r load1 load5 load15 rest < "$SIMROOT/proc/loadavg"
printf ' %s up %d min,  0 users,  load average: %s, %s, %s\n' \
  "$(date +%H:%M:%S)" "$((seconds / 60))" "$load1" "$load5" "$load15"
"""

# See faults.ProgramFault. The program is a child, its output comes through a named pipe, so that
# it can be ended in the middle of its log; the shell then ends in the same way.
SIMFAULT = r"""
. "$SIMROOT/data/system/fault"
if [ -n "$prints" ]; then printf "$prints\n" "$1" >&2; fi
if [ -n "$ending" ] && [ -z "$lines" ]; then
  case $ending in
  exit) exit "$exit_code";;
  hang) exec sleep 1000000;;
  truncate) exit 0;;
  *) kill -s "$ending" $$;;
  esac
fi
pipe=$SIMROOT/data/system/fault.$$
mkfifo "$pipe"
"$@" $arguments > "$pipe" & child=$!
exec 3< "$pipe"
rm "$pipe"
count=0
while [ -z "$ending" ] || [ "$count" -lt "$lines" ]; do
  IFS= read -r line <&3 || break
  printf '%s\n' "$line"
  count=$((count + 1))
  if [ -n "$noise" ] && [ "$count" = 1 ]; then printf '\377\376 \303\050 noise\n'; fi
done
case $ending in
"") wait "$child"; exit $?;;
truncate) cat <&3 > /dev/null; wait "$child"; exit $?;;
exit) kill -s KILL "$child"; exit "$exit_code";;
hang) kill -s KILL "$child"; exec sleep 1000000;;
KILL) echo "lowmemorykiller: Kill '$1' ($child), uid 2000, oom_score_adj -1000" \
  >> "$SIMROOT/data/system/logcat";;
esac
kill -s "$ending" "$child"
exec 3<&-
kill -s "$ending" $$
"""

SHIMS: Mapping[str, str] = {
    "cmd": CMD,
    "df": DF,
    "dumpsys": DUMPSYS,
    "getenforce": "echo Enforcing\n",
    "getprop": GETPROP,
    "input": INPUT,
    "logcat": 'cat "$SIMROOT/data/system/logcat"\n',
    "nproc": 'cat "$SIMROOT/system/cores"\n',
    "reboot": 'kill -s PWR "$SIMINIT"\n',
    "service": SERVICE,
    "setprop": SETPROP,
    "settings": SETTINGS,
    "simfault": SIMFAULT,
    "svc": SVC,
    "taskset": TASKSET,
    "uptime": UPTIME,
}

# Commands that look at all processes. Without namespaces those are this machine's, and the phone
# shows and names its own only, which it knows by their environment.
BY_NAME = ("killall", "pgrep", "pidof", "pkill", "ps", "top")
PIDOF = r"""
found=1
for folder in /proc/[0-9]*; do
  read -r name 2> /dev/null < "$folder/comm" || continue
  if [ "$name" = "$1" ] && grep -aq "SIMINIT=$SIMINIT" "$folder/environ" 2> /dev/null; then
    printf '%s\n' "${folder#/proc/}"; found=0
  fi
done
exit $found
"""
PS = r"""
echo "USER           PID NAME"
for folder in /proc/[0-9]*; do
  if grep -aq "SIMINIT=$SIMINIT" "$folder/environ" 2> /dev/null; then
    read -r name 2> /dev/null < "$folder/comm" || continue
    printf 'shell        %5d %s\n' "${folder#/proc/}" "$name"
  fi
done
"""
SHIMS_BESIDE_OTHERS: Mapping[str, str] = {"pidof": PIDOF, "ps": PS}

# What Android's toybox offers and a harness may use; nothing that touches a whole machine, because
# without namespaces these are programs of this machine, run as its user.
TOOLS = (
    "awk base64 basename cat chmod cksum clear cmp comm cp cut date dd diff dirname du echo egrep"
    " env expr false fgrep file find fold free getconf grep groups gunzip gzip head hostname iconv"
    " id kill killall ln ls md5sum mkdir mkfifo mktemp more mv nice nl nohup od paste patch pgrep"
    " pidof pkill printenv printf ps pwd readlink realpath renice rev rm rmdir sed seq setsid"
    " sha1sum sha224sum sha256sum sha384sum sha512sum sleep sort split stat strings stty sync tac"
    " tail tar tee test time timeout top touch tr true truncate tty ulimit umask uname uniq"
    " unlink usleep uudecode uuencode vmstat wc which whoami xargs xxd yes zcat"
)
