"use strict";
// Tables are sorted by a click on a head; without this script the page shows all of its content.
function value(row, column) {
  const text = row.cells[column].innerText.trim();
  const number = text.replace(/−/g, "-").replace(/,(?=\d{3})/g, "").match(/^[+-]?\d+(\.\d+)?/);
  return number ? Number(number[0]) : text.toLowerCase();
}
function compare(a, b) {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
}
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  if (table.tBodies[0].rows.length < 3) continue;
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => compare(value(a, column), value(b, column)));
      body.append(...(up ? rows : rows.reverse()));
    });
  });
}
// On a narrow screen a figure is small; a button shows it in its own size.
const dialog = document.getElementById("enlarged");
for (const button of document.querySelectorAll(".enlarge")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const picture = button.parentElement.querySelector(".picture svg");
    const place = picture.parentElement;
    dialog.querySelector(".picture").append(picture);
    dialog.addEventListener("close", () => place.append(picture), { once: true });
    dialog.showModal();
  });
}
// The genome browser is started when it is opened for the first time; it needs no network.
const browser = document.getElementById("browser");
if (browser) {
  browser.addEventListener("toggle", () => {
    const data = JSON.parse(document.getElementById("browser-data").textContent);
    for (const track of data.tracks.filter((one) => one.rows)) {
      track.features = track.rows.map(([chrom, start, end, value], number) => ({
        chr: data.chroms[chrom], start, end, value,
        ...(track.shades ? { color: track.shades[number % 2] } : {}),
      }));
    }
    igv.createBrowser(document.getElementById("igv"), {
      reference: { id: "genezip", name: "held-out loci", indexed: false,
        fastaURL: `data:application/octet-stream;base64,${btoa(data.fasta)}` },
      loadDefaultGenomes: false, showIdeogram: false, showChromosomeWidget: false,
      locus: data.places[0].locus, tracks: data.tracks,
    }).then((shown) => {
      if (data.places.length < 2) return;
      for (const place of data.places) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = place.name;
        button.addEventListener("click", () => shown.search(place.locus));
        document.getElementById("places").append(button, " ");
      }
    });
  }, { once: true });
}
