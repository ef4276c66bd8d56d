"""The programs we compare with, each as a user of its libraries would write it; run as processes of their own.

Nothing here imports backend, and nothing is made slower or faster than its library's own documentation suggests.
"""
