// hls.js, as a page drives it: https://github.com/video-dev/hls.js/blob/master/docs/API.md
var player = {
  async open(url, captions) {
    this.hls = new Hls();
    this.hls.on(Hls.Events.ERROR, (_, data) => {
      // What hls.js tells itself of a fetch that it gave up because another track was chosen.
      if (data.details === Hls.ErrorDetails.INTERNAL_ABORTED && !data.fatal) return;
      errors.push(`hls.js: ${data.type} ${data.details} ${data.error}`);
    });
    const parsed = new Promise((resolve) => this.hls.once(Hls.Events.MANIFEST_PARSED, resolve));
    this.hls.loadSource(url);
    this.hls.attachMedia(video);
    await parsed;
    if (video.readyState < 2) await happened(video, "loadeddata");
    if (captions) [this.hls.subtitleTrack, this.hls.subtitleDisplay] = [0, true];
  },
  heights() { return this.hls.levels.map((level) => level.height); },
  choose(height) { this.hls.currentLevel = this.hls.levels.findIndex((level) => level.height === height); },
  sounds() { return this.hls.audioTracks.map((track) => track.name); },
  hear(name) { this.hls.audioTrack = this.hls.audioTracks.findIndex((track) => track.name === name); },
  sound() { return this.hls.audioTracks[this.hls.audioTrack].name; },
};
