#!/bin/sh
# Makes the bundles in docs/examples/bundles anew: a small synthetic country, as an operator would release it.
# Run from the repository: sh docs/examples/make.sh. Noise and keys are drawn anew, so the numbers will be others.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work="$here/../../out/examples"
PATH="$here/../../.venv/bin:$PATH"

rm -rf "$work"
mkdir -p "$work/keys"
cd "$work"

whimbrel synth country --subscribers 30000 --days 63 --first-day 2026-03-02 --scenario "$here/country.toml"

{
    echo "version = 1"
    whimbrel keys new officer --role dpo --out keys
    whimbrel keys new publisher --role publisher --out keys
} > trust.toml

# The key of the pseudonyms of people who do not exist: secret only because the program wants it so.
(umask 077 && head -c 32 /dev/urandom | od -A n -t x1 | tr -d ' \n' > keys/pseudonym.key)

cat > whimbrel.toml <<'CONFIG'
[country]
name = "Synthetica"
timezone = "Indian/Mauritius"

[pseudonyms]
key_file = "keys/pseudonym.key"

[cells]
path = "country/cells.csv"

[approval]
trust = "trust.toml"
publisher_key = "keys/publisher.pem"

[sources.whimbrel]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id", sex = "sex", age_band = "age_band" }
CONFIG

whimbrel ingest country/whimbrel --days 2026-03-02/2026-05-03 --no-quality

release() {
    whimbrel release "$1" "$2"
    whimbrel approve release "$1" "$2" --key keys/officer.pem --yes
    whimbrel publish "$1" "$2"
}

release residents 2026-03
release relocations 2026-04
for week in 14 15 16 17; do
    release od_trips "2026-W$week"
done

mkdir -p "$here/bundles"
rm -f "$here"/bundles/*
cp release/*.zip keys/publisher.pub "$here/bundles"
