#!/bin/sh
# install.sh PYTHON PIP-ARGUMENTS...: pip install, then make sure that cv2 loads.
#
# The opencv-python wheel needs libGL and glib from the system. Slim containers lack them; there
# the wheel of the same version that needs neither takes its place, inside this environment only.
set -eu

python=$1
shift

"$python" -m pip install --quiet --disable-pip-version-check "$@"
if ! "$python" -c 'import cv2' 2>/dev/null; then
    version=$("$python" -m pip show opencv-python 2>/dev/null | sed -n 's/^Version: //p')
    echo "cv2 needs system libraries that are not here: opencv-python-headless $version instead"
    "$python" -m pip uninstall --quiet --yes opencv-python
    "$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps \
        "opencv-python-headless==$version"
    "$python" -c 'import cv2'
fi
