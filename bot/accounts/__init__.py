"""What users, servers and the owner may use: minutes, spend, server rules, disk space."""
