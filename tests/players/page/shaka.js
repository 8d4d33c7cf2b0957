// Shaka Player, as a page drives it: https://shaka-player-demo.appspot.com/docs/api/shaka.Player.html
var player = {
  async open(url) {
    shaka.polyfill.installAll();
    this.shaka = new shaka.Player();
    await this.shaka.attach(video);
    this.shaka.addEventListener("error", (event) => errors.push(`shaka: ${event.detail.code} ${event.detail.message}`));
    await this.shaka.load(url);
    if (video.readyState < 2) await happened(video, "loadeddata");
  },
  heights() { return [...new Set(this.shaka.getVariantTracks().map((track) => track.height))]; },
  choose(height) {
    this.shaka.configure({ abr: { enabled: false } });
    this.shaka.selectVideoTrack(this.shaka.getVideoTracks().find((track) => track.height === height), true);
  },
  sounds() { return this.shaka.getAudioTracks().map((track) => track.label); },
  hear(name) { this.shaka.selectAudioTrack(this.shaka.getAudioTracks().find((track) => track.label === name)); },
  sound() { return this.shaka.getAudioTracks().find((track) => track.active).label; },
  captions() { this.shaka.selectTextTrack(this.shaka.getTextTracks()[0]); },
};
