"""The container's health check: exit status 0 if this very container's gateway answers /livez."""

import os
import ssl
import urllib.request

secure = bool(os.environ.get("THERMAL_TLS_CERTIFICATE"))
port = os.environ.get("THERMAL_REST_PORT", "8080")
# The certificate names the host that clients use, not this loopback address.
context = ssl._create_unverified_context() if secure else None
url = f"http{'s' if secure else ''}://127.0.0.1:{port}/livez"
urllib.request.urlopen(url, timeout=3, context=context).close()
