# shellcheck shell=bash
# Getting the tools that `./test` and `./run` need onto a Debian machine; for
# sourcing. What is there already is used; what comes new goes under .cache/
# wherever that is possible. No service is ever installed, so none starts.

tools=$PWD/.cache/bin
mkdir -p "$tools"
PATH=$tools:$PATH

# Says something that is not the output of a tool.
say() { printf '%s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

# Root, or whoever may become root without being asked anything.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
may_install() { has apt-get && as_root true 2>/dev/null; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 "$@"; }

# Package lists are fetched once, and only where something is missing.
update_lists() {
  [ -n "${lists_are_new:-}" ] && return
  apt update && lists_are_new=yes
}

# install PACKAGE...: from the distribution, without what they recommend.
install() {
  if ! may_install; then
    say "to be installed by somebody who may: apt-get install $*"
    return 1
  fi
  say "installing $*"
  update_lists && apt install -y --no-install-recommends "$@" >/dev/null
}

# Debian's redis-server is a link to a program of redis-tools, and a service
# around it. Only the program is wanted, and the link gives it its name.
need_redis_server() {
  has redis-server && return
  has redis-check-rdb || install redis-tools || return
  ln -sf "$(command -v redis-check-rdb)" "$tools/redis-server"
  "$tools/redis-server" --version | grep -q '^Redis server' && return
  rm -f "$tools/redis-server"
  say "expected redis-check-rdb to be redis-server too, as Debian has it; install redis-server"
  return 1
}

# What commands of the documentation are piped through.
need_curl_and_jq() { { has curl && has jq; } || install curl jq; }

# A C compiler and the linker of Rust are one program.
need_compiler() { has cc || install gcc libc6-dev; }

# unpack PACKAGE PATH...: Debian's packages of Prometheus are services and much
# more; of each, these paths are unpacked into the current folder. It needs no
# rights.
unpack() {
  local package=$1
  shift
  has apt-get || { say "to be installed: $package"; return 1; }
  say "fetching $package"
  may_install && update_lists
  apt-get -qq -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$package" || return
  dpkg-deb --fsys-tarfile "${package}"_*.deb | tar -x "${@/#/./usr/}"
}

# Their programs need nothing else.
need_prometheus() {
  has promtool && has prometheus && return
  local directory status
  directory=$(mktemp -d) || return
  (cd "$directory" && unpack prometheus bin/promtool bin/prometheus) \
    && mv "$directory"/usr/bin/prom* "$tools/"
  status=$?
  rm -r "$directory"
  return "$status"
}

# Debian's build looks for its templates where the package has them, so somebody
# who may has to put them there.
need_alertmanager() {
  has prometheus-alertmanager && [ -e /usr/share/prometheus/alertmanager ] && return
  may_install || { say "to be installed: prometheus-alertmanager"; return 1; }
  local directory status templates=share/prometheus/alertmanager
  directory=$(mktemp -d) || return
  (cd "$directory" && unpack prometheus-alertmanager bin/prometheus-alertmanager "$templates") \
    && mv "$directory"/usr/bin/prometheus-alertmanager "$tools/" \
    && as_root mkdir -p /usr/share/prometheus \
    && as_root cp -r "$directory/usr/$templates" /usr/share/prometheus/
  status=$?
  rm -r "$directory"
  return "$status"
}

# The OpenMetrics parser of Prometheus' own Python client judges our output,
# Grafana's own types the dashboard. PSG_PYTHON tells the tests which Python has
# them.
need_python_judges() {
  local environment=$PWD/.cache/python
  PSG_PYTHON=$environment/bin/python
  export PSG_PYTHON
  if ! "$PSG_PYTHON" -c 'import prometheus_client, grafana_foundation_sdk' 2>/dev/null; then
    say "making a Python environment with prometheus-client and grafana-foundation-sdk"
    make_environment "$environment" || { unset PSG_PYTHON; return 1; }
  fi
}

# A Chromium looks at the status page, driven through playwright-core; axe-core
# judges whether everybody can read it. Neither brings a browser of its own.
need_browser() {
  has chromium || has chromium-browser || has google-chrome || install chromium || return
  if ! { has node && has npm; }; then install nodejs npm || return; fi
  local libraries=$PWD/.cache/browser
  [ -d "$libraries/node_modules/axe-core" ] && return
  say "fetching playwright-core and axe-core"
  npm install --silent --no-audit --no-fund --prefix "$libraries" \
    playwright-core@1.65.1 axe-core@4.14.1
}

make_environment() {
  rm -rf "$1"
  # Debian's python3 without python3-venv has the module but not what it needs.
  python3 -c 'import venv, ensurepip' 2>/dev/null || install python3-venv || return
  python3 -m venv "$1" && "$1/bin/pip" --quiet install --disable-pip-version-check \
    prometheus-client==0.26.0 'grafana-foundation-sdk==1769699998!10.1.0'
}
