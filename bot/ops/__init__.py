"""What the operator needs beside Discord: health and metrics over HTTP."""
