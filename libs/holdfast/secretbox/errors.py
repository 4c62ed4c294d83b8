"""What can be wrong with a key or with something sealed."""

from holdfast.kernel.errors import HoldfastError


class SealBrokenError(HoldfastError):
    """A sealed secret does not open: it was changed, or belongs somewhere else."""

    code = "seal_broken"
    guidance = "The stored secret is damaged. Enter it again, or restore the catalog's database."


class UnknownDataKeyError(SealBrokenError):
    """A sealed secret names a data key that is not this one."""

    code = "unknown_data_key"
    guidance = "The data key's row is missing. Restore the catalog's database."


class InvalidPublicKeyError(HoldfastError):
    """The key to seal to is no X25519 public key."""

    code = "invalid_public_key"


class WrongMasterKeyError(HoldfastError):
    """The data keys were wrapped by another master key than the one given."""

    code = "wrong_master_key"
    guidance = (
        "Start with the passphrase, or the key file DIR/master-key, that this data was made with."
    )


class MasterKeyFileError(HoldfastError):
    """The master key's file cannot be used."""

    code = "master_key_file"
    guidance = "Put the file back from a copy, or name the right one; it holds 32 bytes."


class MasterKeyFileMissingError(MasterKeyFileError):
    """The master key's file is missing."""

    code = "master_key_file_missing"
    guidance = "Put the file back from a copy; nothing else opens what it sealed."


class KdfParametersError(HoldfastError):
    """The stored parameters of the master passphrase are not acceptable."""

    code = "kdf_parameters"
    guidance = "The catalog's database was changed. Restore it from a backup."


class EmptyPassphraseError(HoldfastError):
    """The passphrase is empty."""

    code = "empty_passphrase"
    guidance = "Give one; for the master key it is HOLDFAST_MASTER_PASSPHRASE."
    status = 400


class WrongPassphraseError(HoldfastError):
    """The passphrase does not open the secrets, or they were changed."""

    code = "wrong_passphrase"
    guidance = "Give the passphrase that the file was made with."
    status = 422
