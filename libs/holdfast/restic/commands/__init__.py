"""One file a command: options, ``argv()`` that only computes, the result, and ``run()``.

Used through the module: ``backup.run(restic, backup.BackupOptions(paths=("/srv",)))``.
"""
