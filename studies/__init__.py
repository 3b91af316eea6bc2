"""From a declared study to tables that a careful reader can trust."""
