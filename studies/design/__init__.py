"""Study -> Plan -> Cell -> Trial."""
