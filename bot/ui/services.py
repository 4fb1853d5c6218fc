"""The services that commands, buttons and menus use."""

from dataclasses import dataclass

from bot.accounts.admission import GuildAdmission
from bot.accounts.quotas import Quotas
from bot.admin.administration import Administration
from bot.admin.overview import Overview
from bot.admin.personal_data import Privacy
from bot.batches.batch_service import BatchService
from bot.delivery.redelivery import Redelivery
from bot.i18n.languages import Languages
from bot.jobs.split_service import SplitService
from bot.ui.attachments.attachment_cache import AttachmentCache
from bot.ui.batch_requests import BatchRequests
from bot.ui.replies.clip_presenter import ClipPresenter
from bot.ui.replies.result_presenter import ResultPresenter
from bot.ui.replies.zip_presenter import ZipPresenter
from bot.ui.split_requests import SplitRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """The application's use cases, which do not depend on Discord."""

    splits: SplitService
    batches: BatchService
    quotas: Quotas
    admission: GuildAdmission
    administration: Administration
    overview: Overview
    redelivery: Redelivery
    privacy: Privacy


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases, and the services that connect them to Discord."""

    use_cases: UseCases
    requests: SplitRequests
    batch_requests: BatchRequests
    presenter: ResultPresenter
    zips: ZipPresenter
    clips: ClipPresenter
    attachments: AttachmentCache
    languages: Languages
