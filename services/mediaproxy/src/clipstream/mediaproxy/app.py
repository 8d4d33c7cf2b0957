"""Puts the media proxy together over a store."""

from __future__ import annotations

from aiohttp import web

from clipstream.common.obs.requests import observe
from clipstream.common.stage.scratch import Scratch
from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.presign import UploadSigner
from clipstream.mediaproxy import middleware
from clipstream.mediaproxy.access import Access
from clipstream.mediaproxy.cors import Cors
from clipstream.mediaproxy.pictures import Pictures
from clipstream.mediaproxy.routes.multipart import BODY_LIMIT, Multipart
from clipstream.mediaproxy.routes.objects import Objects
from clipstream.mediaproxy.routes.system import System
from clipstream.mediaproxy.routes.uploads import Uploads
from clipstream.mediaproxy.settings import Settings


def application(settings: Settings, store: ObjectStore, scratch: Scratch) -> web.Application:
    """The application to serve. What it began ends with it; the store and the scratch directory are the caller's."""
    token = settings.media_proxy_token.get_secret_value()
    cors, access = Cors(settings.public_web_url), Access(token)
    pictures = Pictures(store, scratch, settings.image_workers)
    app = web.Application(
        middlewares=[observe, middleware.shape, cors.preflights, access.guard], client_max_size=BODY_LIMIT
    )
    app.on_response_prepare.append(middleware.protect)
    app.on_response_prepare.append(cors.mark)
    app.on_cleanup.append(lambda _: pictures.close())
    # The clients sign with the token; where the proxy stands for browsers only they have to know.
    uploads = Uploads(store, UploadSigner(token, ""), int(settings.max_upload_size))
    handlers = System(store), Objects(store, pictures), uploads, Multipart(store)
    app.add_routes([route for some in handlers for route in some.routes()])
    return app
