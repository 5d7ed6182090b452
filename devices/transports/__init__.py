"""Ways to run commands on a device and to bring files there: adb, ssh, and this machine."""
