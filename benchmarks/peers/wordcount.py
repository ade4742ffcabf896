"""Spark's word count. Usage: wordcount.py rdd|dataframe CORES INPUT OUTPUT"""

import sys
from operator import add

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

how, cores, source, target = sys.argv[1:]
spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .appName("wordcount")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "4g")
    .config("spark.sql.shuffle.partitions", cores)
    .getOrCreate()
)
if how == "rdd":
    counts = (
        spark.sparkContext.textFile(source)
        .flatMap(lambda line: line.split())
        .map(lambda word: (word, 1))
        .reduceByKey(add)
    )
    counts.map(lambda pair: f"{pair[0]}\t{pair[1]}").saveAsTextFile(target)
else:
    words = spark.read.text(source).select(f.explode(f.split("value", "[ \t]+")).alias("word"))
    counts = words.where("word != ''").groupBy("word").count()
    counts.select(f.concat_ws("\t", "word", "count")).write.text(target)
spark.stop()
