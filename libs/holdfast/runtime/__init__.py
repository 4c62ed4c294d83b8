"""What turns a list of services into a running process."""

from holdfast.runtime.service import Answer, Hear, Runtime, Service, answer, hear

__all__ = ["Answer", "Hear", "Runtime", "Service", "answer", "hear"]
