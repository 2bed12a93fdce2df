#!/usr/bin/env bash
# Measures us and what a team would otherwise build, side by side: same machine, same run, taking
# turns. Figures from different runs or machines can't be compared.
#
#   ZHENPING=target/release/zhenping RATINGS=ratings.ndjson benches/peers.sh
#
# ZHENPING     our binary (target/release/zhenping)
# RATINGS      ratings, NDJSON; simulated if unset
# REDIS_LUA    the velocity script of the Redis peer; without it that part is skipped
# ECHO, WRK_LUA  the axum echo's binary (it listens on 127.0.0.1:8699, path /r) and wrk's script
# FLINK_RUN    a command that takes the file and counts the same windows with Flink SQL
# ROUNDS       how often each takes its turn (3)
# SECONDS_HTTP length of one HTTP run (10)
#
# redis-server, redis-cli, redis-benchmark and wrk come from PATH. What is missing is SKIPPED.
set -euo pipefail

zhenping=${ZHENPING:-target/release/zhenping}
rounds=${ROUNDS:-3}
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$work"' EXIT

have() { command -v "$1" >/dev/null; }

wait_for_port() {
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "nothing listens on port $1" >&2
  exit 1
}

ratings=${RATINGS:-}
if [ -z "$ratings" ]; then
  ratings=$work/ratings.ndjson
  "$zhenping" simulate --seed 1 --days 8 --out "$ratings"
fi
count=$(wc -l <"$ratings")
echo "$(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg), $count ratings"

# Elapsed time says what a machine does; CPU time, which a neighbour disturbs less, what a rating costs.
score() {
  local TIMEFORMAT='%R %U %S'
  { time "$zhenping" score "$ratings" --out "$work/verdicts.ndjson" 2>/dev/null; } 2>&1 |
    awk -v n="$count" 'END { printf "score                %9.0f ratings/s, %.1f µs CPU a rating\n", n / $1, ($2 + $3) / n * 1e6 }'
}

redis=
if [ -n "${REDIS_LUA:-}" ] && have redis-server && have redis-benchmark; then
  redis-server --port 6399 --bind 127.0.0.1 --save '' --appendonly no --dir "$work" >/dev/null &
  started+=($!)
  wait_for_port 6399
  redis=$(redis-cli -p 6399 -x SCRIPT LOAD <"$REDIS_LUA")
fi

redis_round() {
  if [ -z "$redis" ]; then echo "Redis, Lua           SKIPPED (REDIS_LUA, redis-server, redis-benchmark)"; return; fi
  redis-benchmark -p 6399 --csv -n 200000 -c 16 -P 16 -r 100000 EVALSHA "$redis" 4 \
    dev:__rand_int__ acc:__rand_int__ dep:12 ip:__rand_int__ 1790000000 r__rand_int__ |
    awk -F'","' 'END { printf "Redis, Lua           %9.0f ratings/s\n", $2 }'
}

flink_round() {
  if [ -z "${FLINK_RUN:-}" ]; then echo "Flink SQL            SKIPPED (FLINK_RUN)"; return; fi
  local begun ended
  begun=$(date +%s%N)
  $FLINK_RUN "$ratings" >/dev/null
  ended=$(date +%s%N)
  awk -v n="$count" -v ns=$((ended - begun)) 'BEGIN { printf "Flink SQL            %9.0f ratings/s, start included\n", n / ns * 1e9 }'
}

for _ in $(seq "$rounds"); do
  score
  redis_round
done
flink_round

if [ -z "${ECHO:-}" ] || [ -z "${WRK_LUA:-}" ] || ! have wrk; then
  echo "HTTP                 SKIPPED (ECHO, WRK_LUA, wrk)"
  exit
fi
TOKEN=$("$zhenping" token create --role intake --data "$work/data" 2>/dev/null | tail -1)
"$zhenping" serve --data "$work/data" --listen 127.0.0.1:8698 >/dev/null 2>&1 &
started+=($!)
"$ECHO" >/dev/null 2>&1 &
started+=($!)
wait_for_port 8698
wait_for_port 8699

http() {
  RATINGS=$ratings URLPATH=$3 TOKEN=$TOKEN \
    wrk -t1 -c64 -d"${SECONDS_HTTP:-10}s" --latency -s "$WRK_LUA" "http://127.0.0.1:$2" |
    awk -v name="$1" '/50%/ { p50 = $2 } /99%/ { p99 = $2 } /Requests\/sec/ { rps = $2 } /Non-2xx/ { bad = ", " $0 }
      END { printf "%-20s %9.0f requests/s, p50 %s, p99 %s%s\n", name, rps, p50, p99, bad }'
}

for _ in $(seq "$rounds"); do
  http "axum echo" 8699 /r
  http "POST /v1/ratings" 8698 /v1/ratings
done
