"""The bodies of requests and answers, made from services/gateway/openapi.json by `make client`: do not edit."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Account(BaseModel):
    id: UUID
    email: str | None
    name: str
    avatar: str | None


class AccountDetails(BaseModel):
    id: UUID
    email: str | None
    name: str
    avatar: str | None
    created_at: AwareDatetime
    total_videos: int
    total_likes: int


class CancelOrder(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    video_id: UUID
    stage: (
        Literal["ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"]
        | None
    ) = None


class CreatedKey(BaseModel):
    """`key` goes into `Authorization: Bearer`. It is never shown again."""

    id: UUID
    name: str
    hint: str
    scopes: list[Literal["read", "upload", "write", "admin"]]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    key: str


class CreatedWebhook(BaseModel):
    """A new webhook with the secret that proves our requests to it. The secret is shown this once."""

    id: UUID
    url: str
    kind: Literal["standard", "discord"]
    events: list[Literal["video.playable", "video.ready", "video.failed", "video.duplicate"]]
    enabled: bool
    created_at: AwareDatetime
    secret: str


class CurrentJob(BaseModel):
    video_id: UUID
    stage: Literal[
        "ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"
    ]


class DeliveryView(BaseModel):
    """
    One message to one webhook. `next_attempt_at` is null once it has been delivered or given up; `response_status`
    and `error` are of the latest attempt.
    """

    id: UUID
    event: Literal["video.playable", "video.ready", "video.failed", "video.duplicate"] | Literal["webhook.test"]
    video_id: UUID | None
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    response_status: int | None
    error: str | None
    created_at: AwareDatetime
    delivered_at: AwareDatetime | None
    next_attempt_at: AwareDatetime | None


class DevLogin(BaseModel):
    """A local user by name. Only where development login is switched on. Without `admin` they are what they were."""

    model_config = ConfigDict(
        extra="forbid",
    )
    cookie: Annotated[
        bool,
        Field(description="keep the refresh token in a cookie instead of showing it"),
    ] = False
    name: str
    admin: bool | None = None


class ErrorBody(BaseModel):
    """Why a request was not carried out. Some refusals carry one more field, named beside their route."""

    model_config = ConfigDict(
        extra="allow",
    )
    error: str
    details: list[str] | None = None


class Found(BaseModel):
    """
    A place in a video: where it was said (`speech`), or its beginning where something written about it was found
    (`title`). It lasts from second `timestamp` to second `end`. `marked` is the snippet cut into runs; odd ones are the
    words that were found.
    """

    kind: Literal["title", "speech"]
    id: UUID
    stream_id: UUID
    title: str
    snippet: str
    marked: list[str]
    timestamp: float
    end: float
    thumbnail_url: str


class FreshUpload(BaseModel):
    """The same; `upload_url` is its `url`."""

    url: str
    method: str
    headers: dict[str, str]
    key: str
    expires_in: int
    upload_url: str


class GraphQLAnswer(BaseModel):
    """Either may be missing."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None


class Greeting(BaseModel):
    """Clipstream says hello."""

    name: Literal["clipstream"] = "clipstream"
    message: str = "Clipstream is running. Read the API at /docs."
    version: str = "0.1.0"


class Invitation(BaseModel):
    """What somebody who was sent a code may know before they join."""

    stream_name: str
    role: Literal["creator", "viewer"]
    usable: bool
    expires_at: AwareDatetime | None


class Invite(BaseModel):
    code: str
    role: Literal["creator", "viewer"]
    expires_at: AwareDatetime | None
    usage_limit: int | None
    created_at: AwareDatetime


class InviteChanges(BaseModel):
    """What is not named stays; null removes the expiry or the limit."""

    model_config = ConfigDict(
        extra="forbid",
    )
    role: Literal["creator", "viewer"] | None = None
    expires_at: AwareDatetime | None = None
    expires_in: Annotated[int | None, Field(description="seconds from now, instead of expires_at")] = None
    usage_limit: int | None = None


class Joined(BaseModel):
    stream_id: UUID
    role: Literal["creator", "viewer"]
    joined_at: AwareDatetime


class KeyItem(BaseModel):
    """`last_used_at` is kept to the minute."""

    id: UUID
    name: str
    hint: str
    scopes: list[Literal["read", "upload", "write", "admin"]]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    last_used_at: AwareDatetime | None


class KeyList(BaseModel):
    keys: list[KeyItem]
    next_cursor: str | None


class Likes(BaseModel):
    """How many like a video, and whether the caller is one of them."""

    liked: bool
    total_likes: int


class Member(BaseModel):
    id: UUID
    name: str
    avatar: str | None
    role: Literal["admin", "creator", "viewer"]
    joined_at: AwareDatetime
    owner: bool


class MemberList(BaseModel):
    members: list[Member]
    next_cursor: str | None


class NewInvite(BaseModel):
    """Unless it says otherwise, an invite is good for any number of members until it is deleted."""

    model_config = ConfigDict(
        extra="forbid",
    )
    role: Literal["creator", "viewer"]
    expires_at: AwareDatetime | None = None
    expires_in: int | None = None
    usage_limit: int | None = None


class NewKey(BaseModel):
    """`admin` is for operators' routes, and only site admins may give it."""

    model_config = ConfigDict(
        extra="forbid",
    )
    name: str
    scopes: list[Literal["read", "upload", "write", "admin"]]
    expires_at: AwareDatetime | None = None


class NewOwner(BaseModel):
    """A member of the stream."""

    model_config = ConfigDict(
        extra="forbid",
    )
    user_id: UUID


class NewRole(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Literal["admin", "creator", "viewer"]


class NewShare(BaseModel):
    """
    How long a share is good for (`expires_at`, or `expires_in` seconds; for ever where neither is said), the password
    it asks for, and the second of the clip where it begins to play.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    expires_at: AwareDatetime | None = None
    expires_in: int | None = None
    password: str | None = None
    start_time: float = 0


class NewStream(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    name: str
    description: str = ""


class NewVideo(BaseModel):
    """A file that is going to be uploaded. What it is, is decided later by its bytes."""

    model_config = ConfigDict(
        extra="forbid",
    )
    filename: str
    size: Annotated[int, Field(description="bytes")]
    title: str | None = None
    content_type: str | None = None
    sha256: str | None = None
    recorded_at: AwareDatetime | None = None


class NewWebhook(BaseModel):
    """
    Where to send, what, and in which shape: `standard` (standardwebhooks.com, signed), or `discord`; unsaid, what the
    address is one of.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    url: str
    events: list[Literal["video.playable", "video.ready", "video.failed", "video.duplicate"]]
    kind: Literal["standard", "discord"] | None = None


class NotComplete(BaseModel):
    """What was asked for is not made yet."""

    error: str = "Processing not complete"
    processing_index: int


class Oembed(BaseModel):
    """
    §2.3.4.2 of the specification, type `video`. `html` is an iframe with the player; the picture is left out where it
    is larger than was asked for.
    """

    type: Literal["video"] = "video"
    version: Literal["1.0"] = "1.0"
    title: str
    author_name: str
    provider_name: Literal["Clipstream"] = "Clipstream"
    provider_url: str
    cache_age: int = 300
    thumbnail_url: str | None
    thumbnail_width: int | None
    thumbnail_height: int | None
    html: str
    width: int
    height: int


class PartRequest(BaseModel):
    """The HTTP request that stores one part: send every header as it stands. It may be repeated. `expires_in` is in seconds."""

    number: int
    method: str
    url: str
    headers: dict[str, str]
    expires_in: int


class PartRequests(BaseModel):
    parts: list[PartRequest]


class Percentiles(BaseModel):
    """Seconds."""

    p50: float
    p95: float
    p99: float


class Person(BaseModel):
    """Somebody, as others may see them."""

    id: UUID
    name: str
    avatar: str | None


class Playback(BaseModel):
    """
    Where a player finds the video. Addresses are good for some hours; `bitrates` are the heights of the renditions.
    Captions come later than the pictures: `captions_url` is null until then, and where nothing was said. `storyboard_url` is
    WebVTT that names regions of pictures, `preview_url` a short silent MP4.
    """

    hls_url: str
    dash_url: str | None
    bitrates: list[int]
    captions_url: str | None
    storyboard_url: str | None
    preview_url: str | None


class PointOfView(BaseModel):
    """Another recording of the same moment: second t of this video is second t + `offset` of the other."""

    id: UUID
    title: str
    offset: float
    confidence: Annotated[float, Field(description="0..1")]
    duration: float | None
    uploaded_by: Person
    thumbnail_url: str


class PointsOfView(BaseModel):
    povs: list[PointOfView]
    next_cursor: str | None


class PoolState(BaseModel):
    """Connections to the database."""

    size: int
    idle: int
    in_use: int


class PrefixUse(BaseModel):
    prefix: str
    objects: int
    size_bytes: int


class Presented(BaseModel):
    """A refresh token; without one it is the cookie's."""

    model_config = ConfigDict(
        extra="forbid",
    )
    refresh_token: str | None = None


class Question(BaseModel):
    """A request as GraphQL over HTTP has it."""

    model_config = ConfigDict(
        extra="forbid",
    )
    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None
    extensions: dict[str, Any] | None = None


class QueuedJob(BaseModel):
    """One stage of one video. `since`: when it got into this state; `retries`: how often an operator had it tried again."""

    video_id: UUID
    stream_id: UUID
    title: str
    stage: Literal[
        "ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"
    ]
    state: Literal["queued", "running", "failed"]
    progress: float
    attempts: int
    retries: int
    error: str | None
    since: AwareDatetime | None


class ReceivedPart(BaseModel):
    """A part that has arrived whole. `sha256` is known where the store knows it."""

    number: int
    size: int
    etag: str
    sha256: str | None


class RetriedJob(BaseModel):
    video_id: UUID
    stage: Literal[
        "ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"
    ]


class RetryOrder(BaseModel):
    """One video, or one stage of it; one stage of all videos; or `all` that failed."""

    model_config = ConfigDict(
        extra="forbid",
    )
    video_id: UUID | None = None
    stage: (
        Literal["ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"]
        | None
    ) = None
    all: bool = False


class ScanOrder(BaseModel):
    """
    Where to look: `prefix` is where originals lie unless said. What does not say itself whose it is becomes the caller's,
    in the stream of this id, in which the caller must be a creator. `cursor` is `next_cursor` of the page before.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    stream_id: UUID | None = None
    prefix: str | None = None
    cursor: str | None = None


class ScannedFile(BaseModel):
    """One object. `known`: its video was there before. `skipped` ones have a reason."""

    key: str
    video_id: UUID | None
    status: Literal["registered", "known", "skipped"]
    reason: str | None


class SearchResult(BaseModel):
    """Titles first, then speech, each the best first. `incomplete` names what could not be looked into just now."""

    videos: list[Found]
    total_results: int
    page: int
    incomplete: list[Literal["speech"]]


class SentPart(BaseModel):
    """A part as its sender knows it; what is said is compared with what the store has."""

    model_config = ConfigDict(
        extra="forbid",
    )
    number: int
    etag: str | None = None
    size: int | None = None
    sha256: str | None = None


class SentParts(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    parts: list[SentPart] | None = None


class Share(BaseModel):
    """A share that is open. Whoever has `share_url` can watch the clip; `embed_url` is its player alone."""

    code: str
    share_url: str
    embed_url: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    has_password: bool
    start_time: float


class ShareItem(BaseModel):
    """A share in the list. `opened_count` is how often its page was looked at."""

    code: str
    share_url: str
    embed_url: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    has_password: bool
    start_time: float
    created_by: Person
    opened_count: int


class ShareList(BaseModel):
    """How many open shares a video has, and those that the caller may revoke: an admin all, others their own."""

    total_shares: int
    shares: list[ShareItem]
    next_cursor: str | None


class SignedIn(BaseModel):
    app_token: str
    refresh_token: str | None
    expires_at: AwareDatetime
    user: Account


class SimilarVideo(BaseModel):
    id: UUID
    title: str
    similarity: float
    thumbnail_url: str


class SimilarVideos(BaseModel):
    similar_videos: list[SimilarVideo]


class SkipOrder(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    video_id: UUID
    stage: Literal[
        "ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"
    ]


class Spoken(BaseModel):
    """Said from `start_time` on, for `duration` seconds."""

    start_time: float
    duration: float
    text: str


class StageLoad(BaseModel):
    """
    One stage's work. `oldest_s`: how long the first in the queue has waited; `workers`: consumers that the broker counts,
    null where it does not say; `estimated_wait_s`: until all of it is done.
    """

    stage: Literal[
        "ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"
    ]
    queued: int
    running: int
    failed: int
    oldest_s: float | None
    workers: int | None
    estimated_wait_s: float


class StageProgress(BaseModel):
    """One stage of one video. `progress` is 0..1, `estimate` the seconds of work left, `note` what else there is to know."""

    stage: Literal[
        "ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"
    ]
    state: Literal["queued", "running", "done", "failed", "skipped"]
    progress: float
    attempts: int
    error: str | None
    note: str | None
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    estimate: float | None


class StageStats(BaseModel):
    """
    One stage. `latency` is the time at work, `wait` the time before it, of the newest thousand of the last day;
    `repeated_last_day` counts attempts after the first, `retries` what operators had tried again.
    """

    stage: Literal[
        "ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"
    ]
    done_last_hour: int
    done_last_day: int
    failed_last_hour: int
    failed_last_day: int
    failed: int
    repeated_last_day: int
    retries: int
    latency: Percentiles | None
    wait: Percentiles | None


class StillProcessing(BaseModel):
    """
    Not every rendition is finished yet. With `hls_url` a provisional one can be played already: the source as it is, or
    the beginning of a small rendition, to which more is added. Ask again for the rest.
    """

    error: str = "Video still processing"
    processing_index: int
    estimated_time: str | None
    hls_url: str | None = None


class Stream(BaseModel):
    id: UUID
    name: str
    description: str
    owner_id: UUID
    created_at: AwareDatetime


class StreamChanges(BaseModel):
    """What is not named stays."""

    model_config = ConfigDict(
        extra="forbid",
    )
    name: str | None = None
    description: str | None = None


class StreamDetails(BaseModel):
    id: UUID
    name: str
    description: str
    owner: Person
    settings: dict[str, Any]
    user_role: Literal["admin", "creator", "viewer"]
    member_count: int
    created_at: AwareDatetime


class StreamItem(BaseModel):
    """A stream in the caller's list, with the caller's role in it."""

    id: UUID
    name: str
    description: str
    role: Literal["admin", "creator", "viewer"]
    member_count: int
    video_count: int
    created_at: AwareDatetime


class StreamList(BaseModel):
    streams: list[StreamItem]
    next_cursor: str | None


class Suggestion(BaseModel):
    text: str
    kind: Literal["title", "tag", "speech"]


class Suggestions(BaseModel):
    """At most 10. `incomplete` names what could not be looked into just now."""

    suggestions: list[Suggestion]
    incomplete: list[Literal["speech"]]


class Taken(BaseModel):
    """How many uploads were found to have arrived."""

    announced: int


class Throughput(BaseModel):
    """Videos that came and were finished, and how many seconds of clip those were."""

    uploaded_last_hour: int
    uploaded_last_day: int
    ready_last_hour: int
    ready_last_day: int
    clip_seconds_last_hour: float
    clip_seconds_last_day: float


class Tokens(BaseModel):
    """
    `app_token` goes into `Authorization: Bearer`; `refresh_token` is good for one renewal, and null where a cookie
    holds it.
    """

    app_token: str
    refresh_token: str | None
    expires_at: AwareDatetime


class Trim(BaseModel):
    """Two videos of which one holds the other, from `start_time` on for `duration` seconds of the longer one."""

    id: UUID
    title: str
    start_time: float
    duration: float
    similarity: float
    thumbnail_url: str


class Trims(BaseModel):
    """`trimmed_clips` lie on this video's timeline; in `cut_from` the place is on the timeline of the video named."""

    trimmed_clips: list[Trim]
    cut_from: list[Trim]
    next_cursor: str | None


class Unhealthy(BaseModel):
    status: Literal["unhealthy"] = "unhealthy"
    issues: list[str]


class Unlock(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    password: Annotated[str, Field(description="the share's password")]


class Upload(BaseModel):
    """One HTTP request that stores the file: send every header as it stands. `expires_in` is in seconds."""

    url: str
    method: str
    headers: dict[str, str]
    key: str
    expires_in: int


class UploadForm(BaseModel):
    """A file with its form fields. `file` may come before or after the others."""

    model_config = ConfigDict(
        extra="forbid",
    )
    file: str
    title: str | None = None
    recorded_at: AwareDatetime | None = None


class UploadedVideo(BaseModel):
    """The video whose file has arrived."""

    id: UUID
    status: Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
    processing_index: int


class Use(BaseModel):
    """Bytes of originals, and of what was made of them."""

    id: UUID
    name: str
    video_count: int
    original_bytes: int
    made_bytes: int
    total_bytes: int


class Verify(BaseModel):
    """`nonce` is what the client sent to the issuer, where it sent one."""

    model_config = ConfigDict(
        extra="forbid",
    )
    cookie: Annotated[
        bool,
        Field(description="keep the refresh token in a cookie instead of showing it"),
    ] = False
    id_token: str
    nonce: str | None = None


class Video(BaseModel):
    """A video in a list. `duration` is in seconds and unknown until the file was looked at."""

    id: UUID
    stream_id: UUID
    title: str
    duration: float | None
    processing_index: Annotated[
        int,
        Field(
            description="1 duplicate detection, 2 transcoding, 3 speech to text, 4 AI analysis, 0 complete, -1 duplicate"
        ),
    ]
    status: Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
    uploaded_at: AwareDatetime
    uploaded_by: Person
    thumbnail_url: str


class VideoDetails(BaseModel):
    """Everything about one video. `error` says why it failed or was rejected."""

    id: UUID
    stream_id: UUID
    title: str
    duration: float | None
    processing_index: Annotated[
        int,
        Field(
            description="1 duplicate detection, 2 transcoding, 3 speech to text, 4 AI analysis, 0 complete, -1 duplicate"
        ),
    ]
    status: Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
    uploaded_at: AwareDatetime
    uploaded_by: Person
    thumbnail_url: str
    description: str
    tags: list[str]
    total_likes: int
    filename: str
    content_type: str
    size: int
    recorded_at: AwareDatetime | None
    width: int | None
    height: int | None
    error: str | None
    failed_stage: (
        Literal["ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"]
        | None
    )
    playable_at: AwareDatetime | None
    ready_at: AwareDatetime | None


class VideoEdit(BaseModel):
    """
    What to change; what is left out or null stays as it is. Tags replace those before: at most 20, each once,
    whatever its capitals.
    """

    model_config = ConfigDict(
        extra="forbid",
    )
    title: str | None = None
    description: str | None = None
    tags: list[str] | None = None


class VideoList(BaseModel):
    videos: list[Video]
    next_cursor: str | None


class VideoState(BaseModel):
    id: UUID
    status: Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
    processing_index: int


class WantedPart(BaseModel):
    """A part that is going to be sent. All parts of an upload are announced with their checksums, or none is."""

    model_config = ConfigDict(
        extra="forbid",
    )
    number: int
    sha256: str | None = None


class WantedParts(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    parts: list[WantedPart]


class WebhookChanges(BaseModel):
    """What is not named stays. One that is not `enabled` is told nothing."""

    model_config = ConfigDict(
        extra="forbid",
    )
    url: str | None = None
    events: list[Literal["video.playable", "video.ready", "video.failed", "video.duplicate"]] | None = None
    kind: Literal["standard", "discord"] | None = None
    enabled: bool | None = None


class WebhookView(BaseModel):
    id: UUID
    url: str
    kind: Literal["standard", "discord"]
    events: list[Literal["video.playable", "video.ready", "video.failed", "video.duplicate"]]
    enabled: bool
    created_at: AwareDatetime


class ChunkedUpload(BaseModel):
    """
    An upload in parts: number n has `part_size` bytes from (n - 1) * `part_size` on, the last one what is left. It lives
    for as long as something is heard of it, and ends at `expires_at` otherwise. `bytes` is how many have arrived.
    """

    id: UUID
    video_id: UUID
    state: Literal["open", "complete", "aborted"]
    size: int
    part_size: int
    part_count: int
    bytes: int
    received: list[ReceivedPart]
    missing: list[int]
    expires_at: AwareDatetime


class CreatedVideo(BaseModel):
    """A new video. The upload is missing where the file came with the request."""

    id: UUID
    processing_index: Literal[1] = 1
    upload_url: str | None = None
    upload: Upload | None = None


class DeliveryList(BaseModel):
    deliveries: list[DeliveryView]
    next_cursor: str | None


class FlaggedVideo(BaseModel):
    id: UUID
    title: str
    stream_id: UUID
    uploaded_by: Person
    uploaded_at: AwareDatetime


class Healthy(BaseModel):
    """
    Everything the gateway needs is there. `ffmpeg` says whether a transcode worker consumes, `vectors` whether search
    answers: they are reported, and are no reason to send clients elsewhere.
    """

    status: Literal["healthy"] = "healthy"
    database: Literal["connected"] = "connected"
    storage: Literal["available"] = "available"
    broker: Literal["connected"] = "connected"
    ffmpeg: Literal["ready", "unavailable"]
    vectors: Literal["available", "unavailable"]
    uptime: str
    pool: PoolState


class InviteDetails(BaseModel):
    """An invite with how often it was used, and who made it."""

    code: str
    role: Literal["creator", "viewer"]
    expires_at: AwareDatetime | None
    usage_limit: int | None
    created_at: AwareDatetime
    used_count: int
    usable: bool
    created_by: Person


class InviteList(BaseModel):
    invites: list[InviteDetails]
    next_cursor: str | None


class OriginalVideo(BaseModel):
    id: UUID
    title: str
    uploaded_by: Person
    uploaded_at: AwareDatetime


class Processing(BaseModel):
    """Where a video is, stage by stage."""

    id: UUID
    status: Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
    processing_index: int
    error: str | None
    failed_stage: (
        Literal["ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"]
        | None
    )
    uploaded_at: AwareDatetime
    playable_at: AwareDatetime | None
    ready_at: AwareDatetime | None
    estimated_time: str | None
    stages: list[StageProgress]


class Queue(BaseModel):
    """Everything that waits or runs. `queue_length` counts what waits; `current_job` is at work for the longest."""

    queue_length: int
    running: int
    failed: int
    current_job: CurrentJob | None
    estimated_wait: str
    estimated_wait_s: float
    stages: list[StageLoad]
    jobs: list[QueuedJob]
    next_cursor: str | None


class Retried(BaseModel):
    """What is tried again. `more`: there was more than one call takes; ask again."""

    retried: int
    jobs: list[RetriedJob]
    more: bool = False


class Scanned(BaseModel):
    """One page of the scan; with a `next_cursor` there is more. `skipped` counts what was known as well."""

    found: int
    registered: int
    skipped: int
    files: list[ScannedFile]
    next_cursor: str | None


class Stats(BaseModel):
    throughput: Throughput
    failures: int
    retries: int
    stages: list[StageStats]


class Storage(BaseModel):
    """
    Bytes. The three spaces are those of the disk, null where the store cannot say (S3). `prefixes` are counted in the
    background: `counted_s_ago` is their age, both null before the first count has ended.
    """

    total_space: int | None
    used_space: int | None
    free_space: int | None
    video_count: int
    original_bytes: int
    made_bytes: int
    prefixes: list[PrefixUse] | None
    counted_s_ago: float | None
    streams: list[Use]
    users: list[Use]


class Timeline(BaseModel):
    """
    What lies on a video's seconds. Where it is long, the first 500 of each kind. `original_duration` is unknown where
    the file could not be looked at.
    """

    original_duration: float | None
    trimmed_clips: list[Trim]
    povs: list[PointOfView]
    speech: list[Spoken]


class WebhookList(BaseModel):
    webhooks: list[WebhookView]
    next_cursor: str | None


class Duplicate(BaseModel):
    """The video is a copy of one that was there before. `kind` says whether the files are equal or only their content."""

    is_duplicate: Literal[True] = True
    original_video: OriginalVideo
    kind: Literal["identical", "remuxed"]
    similarity: float


class FlaggedDuplicate(BaseModel):
    """A video and what it is said to be a copy of; that is null once it was deleted."""

    video: FlaggedVideo
    original_video: FlaggedVideo | None
    kind: Literal["identical", "remuxed"]
    similarity: float
    flagged_at: AwareDatetime | None


class FlaggedDuplicates(BaseModel):
    duplicates: list[FlaggedDuplicate]
    next_cursor: str | None
