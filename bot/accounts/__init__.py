"""What users, servers and the owner may use: minutes, spend, rules of servers, disk space."""
