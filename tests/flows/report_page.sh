#!/usr/bin/env bash
# The page of `nnunet report` in a browser: a click sorts its table, and the slider changes the slice.
# Needs a Chromium (CHROMIUM, else chromium or chromium-headless-shell on the PATH); Debian has the package
# chromium-headless-shell. Usage: tests/flows/report_page.sh FOLDER
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

browser=${CHROMIUM:-$(command -v chromium-headless-shell chromium | head -1)}
[ -n "$browser" ] || fail "there is no Chromium; name one in CHROMIUM"
start "${1:?name a folder}"
labels=$nnUNet_raw_data_base/nnUNet_raw_data/Task900_Phantom/labelsTr

step "$programs/nnunet" example_dataset -o "$nnUNet_raw_data_base/nnUNet_raw_data" --train 5 --test 0
cp -r "$labels" predictions
# The first case gets an empty prediction: all bytes after the header are 0.
gzip -dc "$labels/phantom_000.nii.gz" >labels.nii
{ head -c 352 labels.nii; head -c $(($(stat -c %s labels.nii) - 352)) /dev/zero; } | gzip >predictions/phantom_000.nii.gz
step "$programs/nnunet" evaluate_folder -ref "$labels" -pred predictions -l 1 2
step "$programs/nnunet" report predictions -o page.html

# What a person does, done by a script that is added to a copy of the page.
cat page.html - >driven.html <<'END'
<script>
const header = [...document.querySelectorAll(".sortable th")].find(th => th.textContent === "case");
header.click();
const firstCase = () => document.querySelector(".sortable tbody td").textContent;
const ascending = firstCase();
header.click();
const descending = firstCase();
const slider = document.querySelector(".overlay input");
const state = () => [".z", ".reference", ".prediction"].map(name => {
  const element = slider.closest(".overlay").querySelector(name);
  return element.src || element.textContent;
});
const before = state();
slider.value = 0;
slider.dispatchEvent(new Event("input"));
const changed = state().filter((value, i) => value !== before[i]).length;
const image = slider.closest(".overlay").querySelector("img");
image.decode().then(() => {
  document.body.innerHTML = `RESULT ${ascending} ${descending} ${changed} ${image.naturalWidth > 0}`;
});
</script>
END
result=$("$browser" --headless --no-sandbox --disable-gpu --virtual-time-budget=20000 --dump-dom \
    "file://$work/driven.html" 2>/dev/null | grep -o 'RESULT .*[a-z]') || fail "the page's script did not run"
echo "$result"
[ "${result%%<*}" = "RESULT phantom_000 phantom_004 3 true" ] || fail "expected both orders and three changes"
