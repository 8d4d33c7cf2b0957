// What a viewer would see of the video element, whichever player feeds it.
const video = document.getElementById("video");
const errors = [];
video.addEventListener("error", () => errors.push(`video element: ${video.error.message}`));
window.addEventListener("unhandledrejection", (event) => errors.push(`rejected: ${event.reason}`));
window.addEventListener("error", (event) => errors.push(`script: ${event.message}`));

function happened(target, name) {
  return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
}

// The time in the media of the picture that is shown next.
function nextPicture() {
  return new Promise((resolve) => video.requestVideoFrameCallback((_, shown) => resolve(shown.mediaTime)));
}

// What is on the screen: a small grey copy as numbers.
function pixels() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [32, 18];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0, 32, 18);
  const { data } = context.getImageData(0, 0, 32, 18);
  return Array.from({ length: 32 * 18 }, (_, n) => data[4 * n + 1]);
}

const firstPicture = nextPicture();

// Answers with the time of the picture that is shown then. A last picture of the place before may still come; so one
// that is not within `near` seconds has to stay alone for a while until it is believed.
async function seek(time, near) {
  const quiet = Symbol("quiet");
  let shown = null;
  let picture = nextPicture();
  video.currentTime = time;
  if (video.seeking) await happened(video, "seeked");
  while (shown === null || Math.abs(shown - time) > near) {
    const next = await Promise.race([picture, new Promise((resolve) => setTimeout(resolve, 3000, quiet))]);
    if (next === quiet) break;
    shown = next;
    picture = nextPicture();
  }
  return { shown, time: video.currentTime, ready: video.readyState, pixels: pixels() };
}

async function playToTheEnd() {
  const ended = happened(video, "ended");
  let pictures = 0;
  const count = () => { pictures += 1; video.requestVideoFrameCallback(count); };
  video.requestVideoFrameCallback(count);
  await video.play();
  await ended;
  const ranges = Array.from({ length: video.buffered.length }, (_, n) => [video.buffered.start(n), video.buffered.end(n)]);
  return { time: video.currentTime, duration: video.duration, ranges, pictures };
}

// Plays until pictures of that height are shown.
async function playUntilHeight(height) {
  await video.play();
  while (video.videoHeight !== height) await nextPicture();
  const first = await nextPicture();
  while ((await nextPicture()) <= first);
  video.pause();
}

// Plays until the clock has gone on by so many seconds.
async function playFor(seconds) {
  const end = video.currentTime + seconds;
  await video.play();
  while (video.currentTime < end) await nextPicture();
  video.pause();
}

function shownTracks() {
  return Array.from(video.textTracks).filter((track) => track.mode === "showing");
}

// The cues that the browser has to show, as [start, text].
function cues() {
  return shownTracks().flatMap((track) => Array.from(track.cues || []).map((cue) => [cue.startTime, written(cue)]));
}

// What is written over the picture now.
function overlaid() {
  return shownTracks().flatMap((track) => Array.from(track.activeCues || []).map(written));
}

function written(cue) {
  return cue.getCueAsHTML().textContent;
}

function load(script) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${script} cannot be loaded`));
    element.src = script;
    document.head.append(element);
  });
}
