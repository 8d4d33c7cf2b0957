"use strict";
// Plays the clip that the page's <video> names. hls.js first, wherever it can work: browsers' own HLS shows no captions
// that stand beside the playlist, and begins at the lowest quality.
(() => {
  const video = document.querySelector("video[data-hls]");
  if (video === null) return;
  const ended = document.getElementById("ended");
  const start = Number(video.dataset.start) || 0;

  function giveUp() {
    video.hidden = true;
    ended.hidden = false;
  }

  if (window.Hls !== undefined && window.Hls.isSupported()) {
    const hls = new window.Hls({ startPosition: start > 0 ? start : -1 });
    let recovered = false;
    hls.on(window.Hls.Events.ERROR, (_, error) => {
      const refused = error.response !== undefined && error.response.code === 403;  // revoked, or the address is too old
      if (!error.fatal && !refused) return;
      if (error.type === window.Hls.ErrorTypes.MEDIA_ERROR && !recovered) {
        recovered = true;
        hls.recoverMediaError();
        return;
      }
      hls.destroy();
      giveUp();
    });
    hls.loadSource(video.dataset.hls);
    hls.attachMedia(video);
  } else if (video.canPlayType("application/vnd.apple.mpegurl") !== "") {
    video.addEventListener("loadedmetadata", () => { video.currentTime = start; }, { once: true });
    video.addEventListener("error", giveUp);
    video.src = video.dataset.hls;
  } else {
    giveUp();
  }
})();
