// dash.js, as a page drives it: https://cdn.dashjs.org/latest/jsdoc/module-MediaPlayer.html
var player = {
  async open(url, captions) {
    this.dash = dashjs.MediaPlayer().create();
    const told = (event) => errors.push(`dash.js: ${JSON.stringify(event.error)}`);
    this.dash.on(dashjs.MediaPlayer.events.ERROR, told);
    this.dash.on(dashjs.MediaPlayer.events.PLAYBACK_ERROR, told);
    this.dash.updateSettings({ debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE } });
    this.dash.initialize(video, url, false);
    if (video.readyState < 2) await happened(video, "loadeddata");
    if (captions) this.dash.setTextTrack(0);
  },
  heights() { return this.dash.getRepresentationsByType("video").map((one) => one.height); },
  choose(height) {
    this.dash.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
    const chosen = this.dash.getRepresentationsByType("video").find((one) => one.height === height);
    this.dash.setRepresentationForTypeById("video", chosen.id, true);
  },
  label(track) { return track.labels[0].text; },
  sounds() { return this.dash.getTracksFor("audio").map(this.label); },
  hear(name) { this.dash.setCurrentTrack(this.dash.getTracksFor("audio").find((track) => this.label(track) === name)); },
  sound() { return this.label(this.dash.getCurrentTrackFor("audio")); },
};
