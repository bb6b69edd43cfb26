# What the measuring scripts of this folder share: a server on one CPU, tokenload on another one,
# and a directory for what they leave. Sourced behind tools/lib.sh, never run. Before it: `bin`,
# `scratch_parent`, `server_cpu` and `load_cpu`; may be set as well: `server_cores`, tokend's loops (1),
# its `data` (a directory in `scratch`) and `log_level`, and `shared_cpus`, not empty where server and
# load share their CPUs. After it: `scratch`, which goes
# with the script, as does the server that runs then.
# shellcheck shell=bash
# shellcheck disable=SC2154 # the four above
# shellcheck disable=SC2034 # for the script

for program in tokend ceiling tokenload; do
  [ -x "$bin/$program" ] || die "$bin/$program is missing: build it first (tools/build)"
done
[ -n "${shared_cpus:-}" ] || [ "$server_cpu" != "$load_cpu" ] || die "server and load need a CPU each"
case $(stat -f -c %T "$scratch_parent") in
  tmpfs | ramfs) die "$scratch_parent is memory: a sync costs nothing there; name a disk by --scratch" ;;
esac

scratch=$(mktemp -d "$scratch_parent/tokend-bench.XXXXXX")
server=
finish() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# launch COMMAND...: sets `server`.
launch() {
  # Emptied first: the line of the server before it must not be taken for this one's.
  : >"$scratch/stdout"
  taskset -c "$server_cpu" "$@" >"$scratch/stdout" 2>"$scratch/stderr" &
  server=$!
}

# start COMMAND...: a server that says where it listens; sets `server` and `address`.
start() {
  launch "$@"
  address=
  for _ in $(seq 300); do
    address=$(sed -n 's/^listening on //p' "$scratch/stdout" | head -n 1)
    [ -n "$address" ] && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  die "$1 did not start: $(tail -n 3 "$scratch/stderr")"
}

# start_at PORT COMMAND...: a server that is told its port; sets `server` and `address`.
start_at() {
  address=127.0.0.1:$1
  shift
  launch "$@"
  for _ in $(seq 100); do
    kill -0 "$server" 2>/dev/null || break
    (: <"/dev/tcp/${address%:*}/${address#*:}") 2>/dev/null && return
    sleep 0.1
  done
  die "$1 did not start: $(tail -n 3 "$scratch/stderr" "$scratch/stdout")"
}

# A port that nobody listens on, below those that the kernel gives to clients.
free_port() {
  local port
  for port in $(shuf -i 20000-29999 -n 50); do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
  done
  die 'no free port was found'
}

# h2o keeps a child that explains its crashes.
readonly CHILD_CPU_MS_MAX=50

stop() {
  # The CPU time that is reported is that of this process with its threads, so its children, if it
  # has any, must have been idle.
  local child ns
  for child in $(pgrep -P "$server"); do
    ns=$(awk '{ run += $1 } END { printf "%d", run }' "/proc/$child/task"/*/schedstat)
    if [ "$ns" -gt $((CHILD_CPU_MS_MAX * 1000000)) ]; then
      die "a child of the server, $(cat "/proc/$child/comm"), worked and was not measured"
    fi
  done
  kill "$server"
  wait "$server" || die "the server ended badly: $(tail -n 3 "$scratch/stderr")"
  server=
}

# The users are made with a password of this run's own and the cheapest bcrypt; the issuing that is
# measured hashes no password.
# What is in `tokend_options` comes behind the usual options.
declare -a tokend_options
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
start_tokend() {
  ADMIN_USERNAME=bench ADMIN_PASS=$password CREATE_TOKENS_FOR_USERS=true \
    start "$bin/tokend" --listen 127.0.0.1:0 --cores "${server_cores:-1}" --cpus "$server_cpu" \
    --data "${data:-$scratch/data}" --bcrypt-cost 4 --log-level "${log_level:-warning}" "${tokend_options[@]}"
}

# number JSON-PREFIX: the number behind it in the last run's JSON.
number() { sed -n "s/.*$1\([0-9.]*\).*/\1/p" "$scratch/run.json"; }

load() {
  TOKENLOAD_PASSWORD=$password taskset -c "$load_cpu" "$bin/tokenload" --target "$address" \
    --cpus "$load_cpu" --server-pid "$server" --json "$scratch/run.json" "$@" >"$scratch/run.txt"
}

# Nanoseconds on a CPU of all threads of the server.
server_ns() { cat "/proc/$server/task"/*/schedstat | awk '{ run += $1 } END { printf "%.0f", run }'; }

# megabytes FIELD: of the server's status, VmRSS or VmHWM (its peak).
megabytes() { awk -v field="$1:" '$1 == field { printf "%.0f", $2 / 1024 }' "/proc/$server/status"; }

# make_users COUNT: a data directory with that many, `$scratch/data-of-users`, and their names in
# `$scratch/targets`.
make_users() {
  printf 'making %s users\n' "$1" >&2
  start_tokend
  short_run --admin bench --target-users "$1" --save-targets "$scratch/targets"
  stop
  mv "$scratch/data" "$scratch/data-of-users"
}

# make_tokens: a token for each of them, in `$scratch/tokens`.
make_tokens() {
  start_tokend_with_users
  load --admin bench --targets-file "$scratch/targets" --bulk 10000 --rounds 1 --connections 1 \
    --save-tokens "$scratch/tokens" || [ $? -eq 3 ] || die "tokens: $(cat "$scratch/run.txt")"
  stop
  rm -rf "$scratch/data-of-users"
  mv "$scratch/data" "$scratch/data-of-users"
}

# short_run TOKENLOAD-OPTION...: not to measure anything, but for what it leaves behind.
short_run() {
  load --connections 8 --duration 200ms --warmup 0 "$@" || [ $? -eq 3 ] ||
    die "first run: $(cat "$scratch/run.txt")"
}

# Starts tokend on a copy of those users.
start_tokend_with_users() {
  rm -rf "$scratch/data"
  cp -a "$scratch/data-of-users" "$scratch/data"
  sync -f "$scratch"
  start_tokend
}

# describe_machine: one line of Markdown.
describe_machine() {
  printf '%s, %s CPUs, Linux %s, data on %s' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
    "$(stat -f -c %T "$scratch_parent")"
}

commit=$(git -C "$ROOT" rev-parse --short HEAD 2>/dev/null || echo unknown)
