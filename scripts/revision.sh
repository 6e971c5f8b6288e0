#!/usr/bin/env bash
# Prints the revision of these sources: the commit of the clone, with -dirty where
# what is there is not what is committed; `unknown` without a clone.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown
