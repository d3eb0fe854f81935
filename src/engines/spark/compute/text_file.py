"""A small file where the output goes, on whatever file system that is."""


def write_text(spark, path, text):
    place = spark._jvm.org.apache.hadoop.fs.Path(path)
    files = place.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
    stream = files.create(place, True)
    try:
        stream.write(bytearray(text, "utf-8"))
    finally:
        stream.close()
