#!/bin/bash
# Runs in the guest, as root or as its ordinary user: what the machine promises
# beside the steps' tests. It prints results as a test binary does, between the
# marks of .ci/tests, so that internal/lane judges them. Its own status says only
# that all checks were made.
#
# usage: vagrant/checks.sh root|user
set -u
source=$(cd "$(dirname "$0")/.." && pwd)
role=$1
steps=9
failed=0

# check NAME COMMAND… is one test: the function or command must succeed.
check() {
  local name=$1 start=$SECONDS result=PASS
  shift
  printf '\026=== RUN   %s\n' "$name"
  # A function of its own shell: what it sets or enters is gone with it.
  ("$@") </dev/null 2>&1 || {
    result=FAIL
    failed=1
  }
  printf '\026--- %s: %s (%d.00s)\n' "$result" "$name" $((SECONDS - start))
}

# expect PATTERN TEXT fails, and shows the text, unless a line matches.
expect() {
  grep -qE -e "$1" <<<"$2" && return
  printf 'no line matches %s in:\n%s\n' "$1" "$2"
  return 1
}

cgroup_v2() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; }

# Text of lab doctor: "04-net      ready; lo only: the bridge is root's to make".
doctor_says_ready() {
  local said
  said=$(lab doctor)
  [ "$(grep -cE "$1" <<<"$said")" = "$steps" ] || {
    echo "$said"
    return 1
  }
}

tour_shows_all() {
  local said
  said=$(lab tour) || echo "status $?"
  expect "^$steps shown, 0 skipped, host unchanged" "$said" || return
  # What only root can do is noted, and nothing else is missing.
  [ "$(grep -c '^  note: ' <<<"$said")" = "$1" ] || {
    grep '^  note: ' <<<"$said"
    return 1
  }
}

second_provision_changes_nothing() {
  local stamp changed
  stamp=$(mktemp)
  sleep 0.1 # the clock of files is coarse
  env LAB_OFFLINE=1 LAB_PREBUILT="$([ -d "$source/bin" ] && echo 1)" \
    "$source/vagrant/provision.sh" >"$stamp" || return
  cat "$stamp"
  changed=$(find / -xdev \( -path /proc -o -path /tmp -o -path /var/log \
    -o -path /var/tmp -o -path /run \) -prune -o -cnewer "$stamp" -type f -print)
  rm "$stamp"
  [ ! "$changed" ] || {
    echo "changed: $changed"
    return 1
  }
}

# provision_without prints what provisioning a checkout says that asks for a
# package or a release of Go that is not there.
provision_without() {
  local dir rc=0
  dir=$(mktemp -d)
  mkdir "$dir/vagrant"
  echo "$1" >"$dir/vagrant/debian-packages"
  echo "go $2" >"$dir/go.mod"
  LAB_OFFLINE=1 LAB_PREBUILT='' LAB_SOURCE=$dir timeout 30 "$source/vagrant/provision.sh" 2>&1 ||
    rc=$?
  echo "status $rc"
  rm -r "$dir"
}

offline_without_a_package() {
  local said
  said=$(provision_without no-such-package 1.26.0)
  expect '^provision: packages are missing and LAB_OFFLINE is set: no-such-package$' "$said" &&
    expect '^hint: .* class box' "$said" && expect '^status 1$' "$said"
}

offline_without_go() {
  local said
  said=$(provision_without kmod 99.0)
  expect '^provision: Go 99.0 is missing and LAB_OFFLINE is set$' "$said" &&
    expect '^status 1$' "$said"
}

greeting_of_three_lines() {
  local said
  said=$(bash -lic true 2>/dev/null)
  expect '/vagrant' "$said" && expect '^  lab ' "$said" && expect '^  lab tour ' "$said" &&
    [ "$(wc -l <<<"$said")" = 3 ] && [ -e ~/.hushlogin ]
}

workspace_is_ours() { touch ~/workspace/.touched && rm ~/workspace/.touched; }

completion_knows_commands() {
  # shellcheck disable=SC1091 # of Debian and of the lab
  . /usr/share/bash-completion/bash_completion
  # shellcheck disable=SC1091
  . /usr/share/bash-completion/completions/lab
  COMP_WORDS=(lab to) COMP_CWORD=1 COMP_LINE='lab to' COMP_POINT=6 COMP_TYPE=9
  __start_lab
  expect '^tour' "$(printf '%s\n' "${COMPREPLY[@]}")"
}

# limits_by_the_hint COMMAND… runs it in a cgroup where other processes are: it
# refuses and says what to type. Typed, it works.
limits_by_the_hint() {
  local said hint
  said=$("$@" 2>&1)
  expect 'other processes are in /sys/fs/cgroup/' "$said" || return
  hint=$(sed -n 's/^hint: //p' <<<"$said")
  echo "$hint"
  said=$(bash -c "$hint" 2>&1) && expect '^0::/$' "$said"
}

# run_with_limits asks lab, which asks systemd by itself.
run_with_limits() {
  local said
  said=$(lab run "$@" -memory 30M -pids 40 -- cat /proc/self/cgroup 2>&1)
  expect '^0::/$' "$said"
}

# Within the user namespace in which lab starts the steps of an ordinary user.
as_mapped_root() {
  export -f limits_by_the_hint expect
  unshare --user --map-root-user bash -c \
    'limits_by_the_hint 05-cgroups run -memory 30M cat /proc/self/cgroup; exit'
}

# scope_of_systemd MANAGER SPEC-FLAG… runs a container in a scope of that systemd's: it
# knows the limits, also those of an update, and the scope goes with the container. An
# ordinary user who adds a process does so from a scope of their own: who is in none may
# not enter one.
scope_of_systemd() {
  local dir manager=$1 state scope=()
  shift
  [ "$manager" = --system ] || scope=(systemd-run --user --scope --quiet)
  dir=$(mktemp -d)
  state=$dir/state
  mkdir "$dir/rootfs" && lab rootfs "$dir/rootfs" && minirun spec --bundle "$dir" "$@" &&
    sed -i -e 's/"terminal": true/"terminal": false/; s/"sh"/"sleep", "1000"/' \
      -e 's/"linux": {/&"cgroupsPath": "lab.slice:check:web", /' "$dir/config.json" || return
  show() { systemctl "$manager" show check-web.scope -p "$1"; }
  minirun --root "$state" --systemd-cgroup run --detach --bundle "$dir" web </dev/null &&
    expect '^ActiveState=active$' "$(show ActiveState)" &&
    expect '/lab.slice/check-web.scope$' "$(show ControlGroup)" &&
    minirun --root "$state" --systemd-cgroup update --memory 67108864 --pids-limit 50 web &&
    expect '^MemoryMax=67108864$' "$(show MemoryMax)" &&
    expect '^50$' "$(cat "/sys/fs/cgroup$(show ControlGroup | cut -d= -f2)/pids.max")" &&
    minirun --root "$state" pause web && minirun --root "$state" resume web &&
    "${scope[@]}" minirun --root "$state" exec web true &&
    minirun --root "$state" delete --force web &&
    expect '^ActiveState=inactive$' "$(show ActiveState)"
}

printf '##lane package vagrant/checks\n'
check TestCgroupV2 cgroup_v2
check TestCompletion completion_knows_commands
if [ "$role" = root ]; then
  check TestDoctor doctor_says_ready '^0[0-8]-[a-z]+ +ready$'
  check TestTour tour_shows_all 0
  check TestSecondProvision second_provision_changes_nothing
  check TestOfflineWithoutPackage offline_without_a_package
  check TestOfflineWithoutGo offline_without_go
  check TestLimitsByTheHint limits_by_the_hint 05-cgroups run -memory 30M cat /proc/self/cgroup
  check TestRunWithLimits run_with_limits 05
  check TestScope scope_of_systemd --system
else
  check TestDoctor doctor_says_ready "^0[0-35-8]-[a-z]+ +ready$|^04-net +ready; lo only: .*root's"
  check TestTour tour_shows_all 1
  check TestGreeting greeting_of_three_lines
  check TestWorkspace workspace_is_ours
  check TestLimitsByTheHint limits_by_the_hint \
    08-user run -user -memory 30M cat /proc/self/cgroup
  check TestLimitsByTheHintAsMappedRoot as_mapped_root
  check TestRunWithLimits run_with_limits 05
  check TestRunWithLimitsAsUser run_with_limits 08 -user
  check TestScope scope_of_systemd --user --rootless
fi
printf '\026%s\n\n##lane exit %d\n' "$([ $failed = 0 ] && echo PASS || echo FAIL)" $failed
