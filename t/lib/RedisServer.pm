package RedisServer;

# A Redis server or sentinel of one test: its own folder and port, a child that
# is ended by its process id.
#
#   RedisServer->start(port => N, lines => [...], socket => 1, tls => 1)
#   RedisServer->sentinel(...)   the same, as a sentinel

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX qw(:sys_wait_h);

use Client;
use Gateway;

# On its way to be started: its port and folder.
sub new {
    my ($class, %args) = @_;
    my $self = bless {
        owner => $$, %args,
        dir => File::Temp->newdir('ai-proxy-redis-XXXXXX', TMPDIR => 1),
    }, $class;
    chmod 0755, $self->{dir};
    $self->{port} //= Gateway::free_port();
    return $self;
}

sub start {
    my $class = shift;
    my $self = ref $class ? $class : $class->new(@_);
    my $dir = $self->{dir};
    my $port = $self->{tls} ? 0 : $self->{port};
    my @lines = ("port $port", 'bind 127.0.0.1', "dir $dir", 'save ""',
        'appendonly no', 'daemonize no', "logfile $dir/log",
        @{ $self->{lines} // [] });
    push @lines, "unixsocket $dir/socket", 'unixsocketperm 777'
        if $self->{socket};
    push @lines, "tls-port $self->{port}", map { "tls-$_" }
        "cert-file $self->{tls}{cert}", "key-file $self->{tls}{key}",
        'auth-clients no'
        if $self->{tls};
    # A sentinel and a cluster's node write what they learn into their files.
    my $file = "$dir/redis.conf";
    unless (-e $file && $self->{sentinel}) {
        open my $out, '>', $file or die "$file: $!";
        print $out map { "$_\n" } @lines;
        close $out;
    }
    defined($self->{pid} = fork) or die "fork: $!";
    if ($self->{pid} == 0) {
        delete $ENV{LD_PRELOAD};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/said";
        open STDERR, '>&', \*STDOUT;
        exec 'redis-server', $file, $self->{sentinel} ? '--sentinel' : ()
            or POSIX::_exit(127);
    }
    my $until = Client::now() + 15;
    until ($self->listens) {
        die "redis did not start: " . Gateway::slurp("$dir/said")
            . Gateway::slurp("$dir/log")
            if Client::now() > $until || waitpid($self->{pid}, WNOHANG) != 0;
        select undef, undef, undef, 0.02;
    }
    return $self;
}

sub listens {
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{port});
    return 0 unless $socket;
    return 1 if $self->{tls};
    # Any reply will do: it may want a password.
    print $socket "PING\r\n";
    my $reply = <$socket>;
    return defined $reply && $reply !~ /^-LOADING/;
}

sub sentinel { my ($class, %a) = @_; return $class->start(%a, sentinel => 1) }

sub address { return "127.0.0.1:$_[0]{port}" }
sub socket { return "unix:$_[0]{dir}/socket" }

# What redis-cli prints for a command.
sub say {
    my ($self, @words) = @_;
    my @how = ('-p', $self->{port}, @{ $self->{cli} // [] });
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    open my $pipe, '-|', 'redis-cli', '--no-auth-warning', @how, @words
        or die "redis-cli: $!";
    local $/;
    my $out = <$pipe> // '';
    close $pipe;
    return $out =~ s/\n+\z//r;
}

# A cluster's node refuses them for some seconds after it met the others.
sub takes_writes {
    my ($self) = @_;
    my $until = Client::now() + 30;
    until ($self->say('cluster', 'info') =~ /^cluster_state:ok/m) {
        return 0 if Client::now() > $until;
        select undef, undef, undef, 0.05;
    }
    return 1;
}

sub pause { kill 'STOP', $_[0]{pid} }
sub resume { kill 'CONT', $_[0]{pid} }

# At once; "start" on the object starts it again.
sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    return if $self->{owner} != $$;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub DESTROY {
    local ($?, $!);
    $_[0]->stop;
}

1;
