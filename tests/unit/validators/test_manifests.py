"""Broken by hand, line by line: each must be found, by the rule it breaks."""

from __future__ import annotations

import re

import pytest

from unit.validators.conftest import Files, found_with

MASTER, MEDIA, PICTURES, CAPTIONS, MPD = (
    "master.m3u8",
    "144p.m3u8",
    "144p-iframes.m3u8",
    "captions.vtt",
    "manifest.mpd",
)

BREAKS: dict[str, tuple[str, str, str, str]] = {
    # what is broken: (file, a pattern in it, what stands there instead, what must be said)
    "no header": (MASTER, "#EXTM3U\n", "\n", "the first line is not #EXTM3U"),
    "no version": (MASTER, "#EXT-X-VERSION:7\n", "", "EXT-X-VERSION is -1"),
    "old version": (MASTER, "VERSION:7", "VERSION:4", "EXT-X-VERSION is 4"),
    "not independent": (MASTER, "#EXT-X-INDEPENDENT-SEGMENTS\n", "", "no EXT-X-INDEPENDENT-SEGMENTS"),
    "wrong codec": (MASTER, "avc1.64000c,", "avc1.64001f,", "CODECS is"),
    "sound's codec left out": (MASTER, ",mp4a.40.2", "", "CODECS is"),
    "resolution": (MASTER, "RESOLUTION=256x144,F", "RESOLUTION=256x146,F", "RESOLUTION is not 256x144"),
    "frame rate": (MASTER, "FRAME-RATE=30.000", "FRAME-RATE=29.970", "FRAME-RATE is 29.97"),
    "too many frames": (MASTER, "FRAME-RATE=30.000", "FRAME-RATE=120.000", "above 60"),
    "no frame rate": (MASTER, "FRAME-RATE=30.000,", "", "no FRAME-RATE"),
    "peak": (MASTER, r"INF:BANDWIDTH=(\d)", r"INF:BANDWIDTH=1\1", "BANDWIDTH is 1"),
    "average": (MASTER, r"AVERAGE-BANDWIDTH=(\d+)\d", r"AVERAGE-BANDWIDTH=\1", "AVERAGE-BANDWIDTH is"),
    "no average": (MASTER, r"AVERAGE-BANDWIDTH=\d+,", "", "no AVERAGE-BANDWIDTH"),
    "no such sound": (MASTER, ',AUDIO="sound"', ',AUDIO="other"', "names the AUDIO group other"),
    "sound not named": (MASTER, ',AUDIO="sound"', "", "names the AUDIO group None"),
    "no such captions": (MASTER, ',SUBTITLES="captions"', ',SUBTITLES="x"', "names the SUBTITLES group x"),
    "captions not named": (MASTER, ',SUBTITLES="captions"', "", "names the SUBTITLES group None"),
    "two defaults": (MASTER, "DEFAULT=NO,AUTOSELECT=NO", "DEFAULT=YES,AUTOSELECT=YES", "2 members of the group"),
    "no default": (MASTER, "DEFAULT=YES,AUTOSELECT=YES", "DEFAULT=NO,AUTOSELECT=YES", "0 members of the group"),
    "default not chosen": (MASTER, "DEFAULT=YES,AUTOSELECT=YES", "DEFAULT=YES,AUTOSELECT=NO", "without AUTOSELECT"),
    "same names": (MASTER, 'NAME="Microphone"', 'NAME="Mix"', "share a NAME"),
    "channels": (MASTER, 'CHANNELS="2"', 'CHANNELS="6"', "CHANNELS is '6'"),
    "bare quotes": (MASTER, 'GROUP-ID="sound"', "GROUP-ID=sound", "wrongly quoted"),
    "closed captions": (MASTER, ",CLOSED-CAPTIONS=NONE", "", "CLOSED-CAPTIONS is not NONE"),
    "no I-frame playlist": (MASTER, r"#EXT-X-I-FRAME[^\n]*90p[^\n]*\n", "", "90p.m3u8 has no I-frame playlist"),
    "one I-frame playlist twice": (MASTER, "90p-iframes", "144p-iframes", "share an address"),
    "I-frame codec": (MASTER, 'avc1.64000c",RES', 'avc1.64000b",RES', "not the codec and size"),
    "I-frame rate": (MASTER, r"INF:BANDWIDTH=(\d+)\d,CODECS=", r"INF:BANDWIDTH=\1,CODECS=", "BANDWIDTH is"),
    "variant's playlist": (MASTER, "\n144p.m3u8", "\n145p.m3u8", "the playlist is missing"),
    "target duration": (MEDIA, "TARGETDURATION:4", "TARGETDURATION:3", "the target is 3"),
    "no target duration": (MEDIA, "#EXT-X-TARGETDURATION:4\n", "", "no EXT-X-TARGETDURATION"),
    "twice a target": (MEDIA, "(#EXT-X-TARGETDURATION:4\n)", r"\1\1", "stands there more than once"),
    "length": (MEDIA, "EXTINF:4.000000", "EXTINF:4.000100", "EXTINF says 4.0001"),
    "no length": (MEDIA, "#EXTINF:4.000000,\n", "", "has no EXTINF"),
    "no map": (MEDIA, "#EXT-X-MAP[^\n]*\n", "", "0 EXT-X-MAP"),
    "map of another": (MEDIA, "144p-init", "90p-init", "name different segments"),
    "open end": (MEDIA, "#EXT-X-ENDLIST\n", "", "without EXT-X-ENDLIST"),
    "no type": (MEDIA, "#EXT-X-PLAYLIST-TYPE:VOD\n", "", "type is None"),
    "discontinuity": (MEDIA, "(#EXTINF:2)", r"#EXT-X-DISCONTINUITY\n\1", "a discontinuity"),
    "segment left out": (MEDIA, "#EXTINF:2.000000,\n[^\n]*\n", "", "has 2 segments, 144p.m3u8 1"),
    "range too short": (PICTURES, r"BYTERANGE:(\d+)\d@0", r"BYTERANGE:\1@0", "its moof and first sample take"),
    "range elsewhere": (PICTURES, "@0", "@8", "no fragment begins at byte 8"),
    "no range": (PICTURES, "#EXT-X-BYTERANGE[^\n]*\n", "", "has no EXT-X-BYTERANGE"),
    "picture's length": (PICTURES, "EXTINF:2.000000", "EXTINF:1.900000", "the next one comes after 2.0"),
    "picture left out": (PICTURES, "#EXTINF[^\n]*\n[^\n]*\n[^\n]*00001.m4s\n", "", "is left out"),
    "not only I-frames": (PICTURES, "#EXT-X-I-FRAMES-ONLY\n", "", "without EXT-X-I-FRAMES-ONLY"),
    "no clock": (CAPTIONS, "X-TIMESTAMP-MAP[^\n]*\n", "", "not one well-formed X-TIMESTAMP-MAP"),
    "no WebVTT": (CAPTIONS, "WEBVTT", "WEBSRT", "it begins with"),
    "cue backwards": (CAPTIONS, "--> 00:00:02.000", "--> 00:00:00.100", "ends before it starts"),
    "cue's times": (CAPTIONS, "00:00:02.000 -->", "00:00:02,000 -->", "a block that is no cue"),
    "bare ampersand": (CAPTIONS, "&amp;", "&", "a bare &"),
    "live": (MPD, 'type="static"', 'type="dynamic"', "type is dynamic"),
    "profile": (MPD, "isoff-live", "isoff-main", "no profile"),
    "whole length": (MPD, "PT6.000S", "PT5.500S", "mediaPresentationDuration is 5.5"),
    "no length at all": (MPD, ' mediaPresentationDuration="PT6.000S"', "", "no mediaPresentationDuration"),
    "no buffer": (MPD, ' minBufferTime="PT4S"', "", "no minBufferTime"),
    "no XML": (MPD, "</Period>", "", "no XML"),
    "not aligned": (MPD, ' segmentAlignment="true"', "", "segmentAlignment is not true"),
    "access points": (MPD, 'startWithSAP="1"', 'startWithSAP="2"', "startWithSAP is not 1"),
    "MPD codecs": (MPD, "avc1.64000c", "avc1.64001f", "codecs is avc1.64001f"),
    "MPD bandwidth": (MPD, r'bandwidth="(\d+)\d"', r'bandwidth="\1"', "measured on average"),
    "MPD width": (MPD, 'width="256"', 'width="258"', "the size is"),
    "MPD frame rate": (MPD, 'frameRate="30"', 'frameRate="30000/1001"', "frameRate is"),
    "MPD odd frame rate": (MPD, 'frameRate="30"', 'frameRate="30.0"', "frameRate is"),
    "MPD sample rate": (MPD, 'audioSamplingRate="48000"', 'audioSamplingRate="44100"', "audioSamplingRate is 44100"),
    "MPD channels": (MPD, 'value="2"/><Segm', 'value="1"/><Segm', "AudioChannelConfiguration is"),
    "MPD type": (MPD, 'mimeType="audio/mp4"', 'mimeType="video/mp4"', "mimeType is video/mp4"),
    "hole": (MPD, 't="61440"', 't="61952"', "a hole or overlap"),
    "slot's length": (MPD, 'd="61440"', 'd="61000"', "the timeline says"),
    "slot too many": (MPD, '(<S t="61440" d="30720")', r'\1 r="1"', "the segment is missing"),
    "number": (MPD, 'startNumber="0"', 'startNumber="1"', "the segment is missing"),
    "template": (MPD, r"\$Number%05d\$", r"$Count%05d$", "$Count$ means nothing"),
    "no timeline": (MPD, "<SegmentTimeline>.*?</SegmentTimeline>", "", "no SegmentTimeline"),
    "same ids": (MPD, '<Representation id="90p"', '<Representation id="144p"', "share an id"),
    "no main sound": (MPD, 'value="main"', 'value="dub"', "0 sounds have the role main"),
    "nameless sounds": (MPD, ' lang="und"(.*?)<Label>.*?</Label>', r"\1", "neither lang nor Label"),
    "captions' language": (MPD, ' lang="en"', "", "captions without lang"),
    "captions' role": (MPD, 'value="subtitle"', 'value="main"', "captions without the role"),
    "captions' file": (MPD, "captions.vtt<", "captions-2.vtt<", "captions-2.vtt are missing"),
    "captions in HLS alone": (MPD, '<AdaptationSet id="9".*?</AdaptationSet>', "", "captions are in one of the two"),
    "a rendition left out": (MPD, '<Representation id="90p".*?</Representation>', "", "name different segments"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_manifest_is_found(good: Files, broken: str) -> None:
    name, pattern, instead, expected = BREAKS[broken]
    text = re.sub(pattern, instead, good[name].decode(), count=0 if name == MPD else 1, flags=re.DOTALL)
    reports = found_with(good, name, text.encode())
    assert any(expected in report.what for report in reports), [str(report) for report in reports]


def test_a_missing_manifest_is_found(good: Files) -> None:
    for name in (MASTER, MEDIA, PICTURES, CAPTIONS, "captions.m3u8", MPD):
        assert found_with(good, name, None)


def test_captions_out_of_order_are_found(good: Files) -> None:
    head, first, second, third = good[CAPTIONS].decode().rstrip("\n").split("\n\n")
    reports = found_with(good, CAPTIONS, "\n\n".join([head, second, first, third, ""]).encode())
    assert any("stands behind a later one" in report.what for report in reports)
