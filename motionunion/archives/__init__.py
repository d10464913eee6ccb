"""Archives as data sets are downloaded, unpacked beside a store without trusting a word of them.

    limits      what is too much, as constants with reasons
    member      what an archive says of one member, and how one is refused
    names       which names may become paths, and which files a source could want
    decoding    gzip, bzip2 and xz as bounded streams
    tar         members of a tar, one pass
    zips        members of a zip (zip_directory, zip_member; zip_recovery where the directory is missing)
    unpack      from an archive to a folder
    scratch     the folder, and who owns it

Readers of data sets keep working on plain files: an archive becomes a folder that lives as long as its reading.
"""
