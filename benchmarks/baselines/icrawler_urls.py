"""icrawler's own crawler for a list of addresses: `python icrawler_urls.py LIST FOLDER THREADS`."""

import logging
import sys

from icrawler.builtin import UrlListCrawler

listed, folder, threads = sys.argv[1:]
crawler = UrlListCrawler(downloader_threads=int(threads), storage={"root_dir": folder}, log_level=logging.ERROR)
crawler.crawl(listed, max_num=10_000)
