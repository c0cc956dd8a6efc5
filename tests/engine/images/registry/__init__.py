from tests.engine.images.registry.server import SILENCE_S as SILENCE_S
from tests.engine.images.registry.server import Registry as Registry
from tests.engine.images.registry.server import Silence as Silence
from tests.engine.images.registry.server import nobody as nobody
from tests.engine.images.registry.server import once as once
