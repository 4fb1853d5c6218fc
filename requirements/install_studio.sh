#!/bin/sh
# Install the studio's packages into .venv-studio: TORCH=cpu|cu130|... and GPU=1, from the Makefile.
set -eu

fail() {
  printf 'stemcord: %s\n' "$1" >&2
  exit 1
}

torch_version=$1
[ -n "${TORCH:-}${GPU:-}" ] || fail 'say what for: make studio TORCH=cu130 (community models on an
  NVIDIA card; cpu and the names of other builds at pytorch.org work too), or make studio GPU=1 (the
  embedded engine on an NVIDIA card), or both'
if [ -n "${GPU:-}" ]; then
  case "$(uname -s) $(uname -m)" in
    'Linux x86_64') ;;
    *) fail "GPU=1 needs Linux on x86-64; this is $(uname -s) on $(uname -m)" ;;
  esac
fi

python=${PYTHON:-.venv/bin/python}
[ -x .venv-studio/bin/python ] || {
  echo "Creating .venv-studio with $("$python" --version) …"
  "$python" -m venv .venv-studio || fail "$python could not create .venv-studio (see above)"
}

install() {
  .venv-studio/bin/python -m pip install -q --no-input --disable-pip-version-check "$@" ||
    fail 'the packages could not be installed (see above)'
}

if [ -n "${TORCH:-}" ]; then
  echo "Installing torch $torch_version ($TORCH), up to several gigabytes …"
  install "torch==$torch_version+$TORCH" \
    --extra-index-url "https://download.pytorch.org/whl/$TORCH"
  # torch is not part of the lock, since its builds differ, so nothing may require it.
  install --no-deps --require-hashes -r requirements/studio.lock
fi
if [ -n "${GPU:-}" ]; then
  echo 'Installing onnxruntime-gpu and its CUDA libraries, about two gigabytes …'
  install --require-hashes -r requirements/gpu.lock
fi
echo 'Done. `python -m bot studio` shows the models, and `python -m bot doctor` what works.'
