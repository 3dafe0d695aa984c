"use strict";
// The browser needs no network but, where the page is served, this machine.
const options = JSON.parse(document.getElementById("browse-data").textContent);
const started = igv.createBrowser(document.getElementById("igv"), options);
started.catch((error) => {
  const failed = document.getElementById("failed");
  failed.textContent = `The browser could not be started: ${error.message || error}`;
  failed.hidden = false;
});
