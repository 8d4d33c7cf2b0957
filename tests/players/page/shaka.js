// Shaka Player, as a page drives it: https://shaka-player-demo.appspot.com/docs/api/shaka.Player.html
var player = {
  async open(url, captions) {
    shaka.polyfill.installAll();
    this.shaka = new shaka.Player();
    await this.shaka.attach(video);
    this.shaka.addEventListener("error", (event) => errors.push(`shaka: ${event.detail.code} ${event.detail.message}`));
    // Shaka 5 keeps HLS captions back until it appends a segment of pictures, which never comes again where all of a short
    // clip is buffered (PR 9676): so they are chosen before the first one, as a viewer's preference is.
    if (captions) {
      const choose = () => this.shaka.selectTextTrack(this.shaka.getTextTracks()[0]);
      this.shaka.addEventListener("trackschanged", choose, { once: true });
    }
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
};
