"""huggingface_hub: imported when it is needed, its errors in one sentence each."""

import errno

from dsflash_ros.errors import DSFlashError, OutputError, WeightsError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)


def hub_client():
    """The module huggingface_hub. Raises `WeightsError` where it is not installed."""
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError as error:
        raise WeightsError(
            "downloading needs huggingface_hub, which is not installed: "
            "pip install huggingface_hub, or give the path of a file"
        ) from error
    return huggingface_hub


def explain(error: Exception, repo_id: str, revision: str | None) -> DSFlashError:
    """One sentence for whatever went wrong between us and the hub, or on the way into the cache."""
    hub = hub_client()
    if isinstance(error, hub.errors.GatedRepoError):
        return WeightsError(
            f"{repo_id} is only for those who accepted its terms: do so on "
            f"{hub.constants.ENDPOINT}/{repo_id}, log in with `hf auth login` or set HF_TOKEN, "
            "and try again"
        )
    if isinstance(error, hub.errors.RepositoryNotFoundError):
        return WeightsError(
            f"the hub has no {repo_id}, or it is private: check the name, or log in with "
            "`hf auth login`; a file on this machine is given as a path, such as ./name"
        )
    if isinstance(error, hub.errors.RevisionNotFoundError):
        return WeightsError(f"{repo_id} on the hub has no revision {revision!r}")
    if isinstance(error, hub.errors.OfflineModeIsEnabled):
        return WeightsError(
            f"{repo_id} is not in the cache, and HF_HUB_OFFLINE forbids to download it"
        )
    return _explain_disk(error, repo_id) or _explain_network(error, repo_id)


def _explain_disk(error: Exception, repo_id: str) -> OutputError | None:
    cache = hub_client().constants.HF_HUB_CACHE
    number = getattr(error, "errno", None)
    if number in _NO_SPACE:
        return OutputError(
            f"the disk is full: {repo_id} does not fit in {cache}; make room and try again, "
            "the download continues where it stopped (HF_HOME chooses another place)"
        )
    if number in _NO_ACCESS:
        return OutputError(f"cannot write to {cache} ({error}); HF_HOME chooses another place")
    return None


def _explain_network(error: Exception, repo_id: str) -> WeightsError:
    reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
    return WeightsError(
        f"cannot get {repo_id} from {hub_client().constants.ENDPOINT} ({reason}): check the "
        "network and the proxy settings (HTTPS_PROXY, NO_PROXY) and try again, "
        "a download continues where it stopped"
    )
