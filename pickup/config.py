"""Typed settings, read once from the environment.

The unit stands in each name. `CONTRACT` variables (`PORT`, `PICKUP_HOME`, `PICKUP_SEED`, `DATABASE_URL`,
`REDIS_URL`) keep their public names; everything else starts with `PICKUP_`.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from environs import Env
from marshmallow import ValidationError
from marshmallow.validate import OneOf, Range

# sun_path holds 108 bytes on Linux and 104 on macOS; the longest name we put into the folder is PostgreSQL's.
SOCKET_FOLDER_MAX_BYTES = 104 - len("/.s.PGSQL.5432.lock") - 1

# Added up they still fit an integer column.
UNITS_MAX = 1_000_000_000
DAY_MINUTES = 24 * 60
MINUTES_MAX = 366 * DAY_MINUTES
HOURS_MAX = 366 * 24

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ("demo", "none")
ROUTING_POLICIES = ("nearest", "fewest_transfers", "balance")
IF_SHORT = ("part", "move", "cancel")
BEFORE_HOLD_LAPSES = ("capture", "renew")
SIGNATURES = ("off", "ask")
PAYMENT_METHODS = ("sandbox", "stripe")
MESSAGE_CHANNELS = ("email", "sms")
# Two times of the day, or nothing: `notifications.quiet_hours` reads it.
QUIET_HOURS = re.compile(r"\s*|([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
GEOCODERS = ("none", "nominatim", "photon", "arcgis")
# Those of `stores.models.StoreKind`, which stands floors above.
STORE_KINDS = ("store", "warehouse", "partner")
# Those of `core.languages.LANGUAGES`.
LANGUAGES = ("en", "es", "zh")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the process was told. See `docs/settings.md` for a line on each."""

    home: Path
    port: int
    seed: str
    development: bool
    database_url: str | None
    redis_url: str | None
    public_url: str
    secret_key: str | None = field(repr=False)

    smtp_url: str | None
    mail_from: str
    mail_catcher_folder: Path | None
    message_channels: tuple[str, ...]
    quiet_hours: str
    twilio_account_sid: str | None
    twilio_auth_token: str | None = field(repr=False)
    twilio_api_base: str | None
    sms_from: str | None
    vapid_private_key: str | None = field(repr=False)
    vapid_contact: str
    messages_folder: Path | None
    store_language: str

    web_workers: int
    web_threads: int
    web_streams: int
    trusted_proxies: int
    enrolled_tablets_only: bool
    database_lock_timeout_seconds: int
    database_pool_size: int
    request_body_max_bytes: int

    geocoder: str
    geocoder_domain: str | None
    geocoder_user_agent: str
    geocoder_timeout_seconds: float

    search_radius_metres: int
    routing_candidates_max: int
    routing_policy: str
    transfer_hours: int
    transfer_km_per_hour: int
    if_short: str
    choice_hours: int
    prep_minutes: int
    hold_days: int
    hold_extensions_max: int
    risk_minutes: int
    remind_after_hours: int
    warn_before_hours: int
    lower_price_at_handover: bool
    signature: str

    safety_stock: Mapping[str, int]
    """Units by the kind of a store; a kind that is absent keeps nothing back."""
    stale_safety_stock: int
    till_stale_minutes: int
    till_silent_minutes: int
    till_late_minutes: int

    payment_methods: tuple[str, ...]
    payment_timeout_minutes: int
    hold_while_paying_minutes: int
    before_hold_lapses: str
    hold_lapse_margin_hours: int
    gateway_timeout_seconds: float
    stripe_secret_key: str | None = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    stripe_api_base: str | None

    post_to_loopback: bool

    outbox_lease_seconds: int
    idempotency_keep_hours: int
    keep_personal_data_days: int

    shop_api_url: str
    shop_api_key: str | None = field(repr=False)

    @property
    def uses_embedded_postgres(self) -> bool:
        """Whether PostgreSQL comes with the checkout: nobody named a real one."""
        return self.database_url is None

    @property
    def uses_embedded_redis(self) -> bool:
        """Whether Redis comes with the checkout: nobody named a real one."""
        return self.redis_url is None

    @property
    def socket_folder(self) -> Path:
        """Where the embedded servers listen: in the home, or below `/tmp` where that path is too long for a socket."""
        folder = self.home / "run"
        if len(str(folder).encode()) <= SOCKET_FOLDER_MAX_BYTES:
            return folder
        return Path(tempfile.gettempdir()) / f"pickup-{hashlib.sha256(str(self.home).encode()).hexdigest()[:16]}"

    @property
    def sqlalchemy_url(self) -> str:
        """The database as SQLAlchemy names it: psycopg 3, whatever scheme the operator wrote."""
        if self.database_url is None:
            # The port is part of the socket's name; without it libpq would take PGPORT.
            return f"postgresql+psycopg://pickup@/pickup?host={quote(str(self.socket_folder))}&port=5432"
        _, _, rest = self.database_url.partition("://")
        return f"postgresql+psycopg://{rest}"

    @property
    def queue_url(self) -> str:
        """The Redis that carries the queue."""
        return self.redis_url or f"unix://{quote(str(self.socket_folder))}/redis.sock"

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment.

        Raises:
            environs.EnvValidationError: a variable has no usable value; the message names the variable.
        """
        env = Env()
        port = env.int("PORT", 8000, validate=Range(1, 65535))
        database_url = env.str("DATABASE_URL", "") or None
        redis_url = env.str("REDIS_URL", "") or None
        development = env.bool("PICKUP_DEVELOPMENT", database_url is None or redis_url is None)
        with env.prefixed("PICKUP_"):
            return cls(
                home=Path(env.str("HOME", "") or ROOT / "var").resolve(),
                port=port,
                development=development,
                seed=env.str("SEED", "demo", validate=OneOf(SEEDS)),
                database_url=database_url,
                redis_url=redis_url,
                public_url=env.str("PUBLIC_URL", f"http://127.0.0.1:{port}").rstrip("/"),
                secret_key=env.str("SECRET_KEY", None),
                smtp_url=env.str("SMTP_URL", None),
                mail_catcher_folder=env.path("MAIL_FOLDER", None),
                mail_from=env.str("MAIL_FROM", "Store pickup <pickup@example.com>"),
                message_channels=_words(env.str("MESSAGE_CHANNELS", "email", validate=_are_words_of(MESSAGE_CHANNELS))),
                quiet_hours=env.str("QUIET_HOURS", "21:00-08:00", validate=_are_quiet_hours),
                twilio_account_sid=env.str("TWILIO_ACCOUNT_SID", "") or None,
                twilio_auth_token=env.str("TWILIO_AUTH_TOKEN", "") or None,
                twilio_api_base=env.str("TWILIO_API_BASE", "") or None,
                sms_from=env.str("SMS_FROM", "") or None,
                vapid_private_key=env.str("VAPID_PRIVATE_KEY", "") or None,
                vapid_contact=env.str("VAPID_CONTACT", "mailto:pickup@example.com"),
                messages_folder=_folder(env.str("MESSAGES_FOLDER", "", validate=_is_folder)),
                store_language=env.str("STORE_LANGUAGE", "en", validate=OneOf(LANGUAGES)),
                web_workers=env.int("WEB_WORKERS", 2, validate=Range(1)),
                web_threads=env.int("WEB_THREADS", 16, validate=Range(1)),
                web_streams=env.int("WEB_STREAMS", 32, validate=Range(0)),
                trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=Range(0, 9)),
                enrolled_tablets_only=env.bool("ENROLLED_TABLETS_ONLY", False),
                database_lock_timeout_seconds=env.int("DATABASE_LOCK_TIMEOUT_SECONDS", 3, validate=Range(1)),
                database_pool_size=env.int("DATABASE_POOL_SIZE", 8, validate=Range(1)),
                request_body_max_bytes=env.int("REQUEST_BODY_MAX_BYTES", 16 * 1024 * 1024, validate=Range(1024)),
                geocoder=env.str("GEOCODER", "none", validate=OneOf(GEOCODERS)),
                geocoder_domain=env.str("GEOCODER_DOMAIN", "") or None,
                geocoder_user_agent=env.str("GEOCODER_USER_AGENT", "pickup"),
                geocoder_timeout_seconds=env.float("GEOCODER_TIMEOUT_SECONDS", 2.0),
                search_radius_metres=env.int("SEARCH_RADIUS_METRES", 100_000, validate=Range(1)),
                routing_candidates_max=env.int("ROUTING_CANDIDATES_MAX", 50, validate=Range(1, 1000)),
                routing_policy=env.str("ROUTING_POLICY", "nearest", validate=OneOf(ROUTING_POLICIES)),
                transfer_hours=env.int("TRANSFER_HOURS", 24, validate=Range(0)),
                transfer_km_per_hour=env.int("TRANSFER_KM_PER_HOUR", 50, validate=Range(1)),
                if_short=env.str("IF_SHORT", "part", validate=OneOf(IF_SHORT)),
                choice_hours=env.int("CHOICE_HOURS", 24, validate=Range(1)),
                prep_minutes=env.int("PREP_MINUTES", 60, validate=Range(0)),
                hold_days=env.int("HOLD_DAYS", 7, validate=Range(1)),
                hold_extensions_max=env.int("HOLD_EXTENSIONS_MAX", 1, validate=Range(0)),
                risk_minutes=env.int("RISK_MINUTES", 15, validate=Range(0, DAY_MINUTES)),
                remind_after_hours=env.int("REMIND_AFTER_HOURS", 24, validate=Range(0, HOURS_MAX)),
                warn_before_hours=env.int("WARN_BEFORE_HOURS", 24, validate=Range(0, HOURS_MAX)),
                lower_price_at_handover=env.bool("LOWER_PRICE_AT_HANDOVER", True),
                signature=env.str("SIGNATURE", "off", validate=OneOf(SIGNATURES)),
                safety_stock=_units_by_kind(env.str("SAFETY_STOCK", "", validate=_units_by_kind)),
                stale_safety_stock=env.int("STALE_SAFETY_STOCK", 2, validate=Range(0, UNITS_MAX)),
                till_stale_minutes=env.int("TILL_STALE_MINUTES", 240, validate=Range(0, MINUTES_MAX)),
                till_silent_minutes=env.int("TILL_SILENT_MINUTES", 1440, validate=Range(0, MINUTES_MAX)),
                till_late_minutes=env.int("TILL_LATE_MINUTES", 60, validate=Range(0, MINUTES_MAX)),
                payment_methods=_words(
                    env.str("PAYMENT_METHODS", ",".join(PAYMENT_METHODS), validate=_are_words_of(PAYMENT_METHODS))
                ),
                payment_timeout_minutes=env.int("PAYMENT_TIMEOUT_MINUTES", 30, validate=Range(1)),
                hold_while_paying_minutes=env.int("HOLD_WHILE_PAYING_MINUTES", 0, validate=Range(0, MINUTES_MAX)),
                before_hold_lapses=env.str("BEFORE_HOLD_LAPSES", "capture", validate=OneOf(BEFORE_HOLD_LAPSES)),
                hold_lapse_margin_hours=env.int("HOLD_LAPSE_MARGIN_HOURS", 24, validate=Range(1)),
                gateway_timeout_seconds=env.float("GATEWAY_TIMEOUT_SECONDS", 4.0, validate=Range(0.1)),
                stripe_secret_key=env.str("STRIPE_SECRET_KEY", "") or None,
                stripe_webhook_secrets=_words(env.str("STRIPE_WEBHOOK_SECRETS", "")),
                stripe_api_base=env.str("STRIPE_API_BASE", "") or None,
                post_to_loopback=env.bool("POST_TO_LOOPBACK", development),
                outbox_lease_seconds=env.int("OUTBOX_LEASE_SECONDS", 30, validate=Range(1)),
                idempotency_keep_hours=env.int("IDEMPOTENCY_KEEP_HOURS", 48, validate=Range(24)),
                keep_personal_data_days=env.int("KEEP_PERSONAL_DATA_DAYS", 365, validate=Range(0, 36_500)),
                shop_api_url=env.str("SHOP_API_URL", f"http://127.0.0.1:{port}"),
                shop_api_key=env.str("SHOP_API_KEY", "") or None,
            )


def _folder(text: str) -> Path | None:
    return Path(text).resolve() if text else None


def _is_folder(text: str) -> None:
    if text and not Path(text).is_dir():
        raise ValidationError(f"{text[:200]!r} is not a folder.")


def _words(text: str) -> tuple[str, ...]:
    """`one,two` as a list."""
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _are_words_of(known: tuple[str, ...]) -> Callable[[str], None]:
    def check(text: str) -> None:
        if not _words(text) or any(word not in known for word in _words(text)):
            raise ValidationError(f"{text[:60]!r} must be a list of {', '.join(known)}.")

    return check


def _are_quiet_hours(text: str) -> None:
    if not QUIET_HOURS.fullmatch(text):
        raise ValidationError(f"{text[:60]!r} must be two times of the day such as 21:00-08:00, or empty.")


def _units_by_kind(text: str) -> dict[str, int]:
    """`store=1,partner=2` as a table."""
    units: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, _, number = (word.strip() for word in part.partition("="))
        if kind not in STORE_KINDS or kind in units or not (number.isascii() and number.isdigit()):
            wanted = ", ".join(f"{kind}=UNITS" for kind in STORE_KINDS)
            raise ValidationError(f"{part[:60]!r} is not one of {wanted}, each once.")
        if (units.setdefault(kind, int(number[:20]))) > UNITS_MAX:
            raise ValidationError(f"{part[:60]!r} is more than {UNITS_MAX} units.")
    return units
