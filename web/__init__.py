"""The REST service and the page over an inventory: ``flexlocal serve``. It needs the extra [serve]."""
